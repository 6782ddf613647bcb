//! The length of a recording does not decide how much memory a run takes.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::io::Read;

use common::{SHARDS, etude};

/// The highest resident memory of a run, in bytes, as the kernel counted it.
fn peak(minutes: u32) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let music = folder.path().join("music");
    let mut state = 1u32;
    // Noise, so that FLAC cannot make it small.
    let samples = (0..44_100 * 60 * minutes * 2).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 18) as i16 - 8192
    });
    common::write_wav(&music.join("long.wav"), 44_100, 2, samples);
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let mut child = etude(folder.path())
        .args(["run", "p.yaml", "--threads", "2"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The file is gone with the process, so it is read while the process runs.
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) {
            peak = line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024;
        }
        if let Some(exit) = child.try_wait().unwrap() {
            let mut text = String::new();
            child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            assert!(exit.success(), "{text}");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn an_hour_takes_as_much_memory_as_ten_minutes() {
    let (short, long) = (peak(10), peak(60));
    println!("ten minutes: {} MB, an hour: {} MB", short >> 20, long >> 20);
    assert!(long < short + (20 << 20), "ten minutes: {short} bytes, an hour: {long} bytes");
    assert!(long < 256 << 20, "an hour: {long} bytes");
}
