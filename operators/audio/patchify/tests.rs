use etude_pipeline::flow::{Mask, Unit};

use serde_json::{Value, json};

use super::*;
use crate::harness::{clip, operator, recording, run, wrong};

fn patchify(parameters: Value) -> Patchify {
    operator(parameters)
}

/// Planes of bins, each value another.
fn features((planes, bins): (u16, u16), frames: usize) -> (Header, Block) {
    let row =
        |channel: u16| (0..frames).map(|frame| (usize::from(channel) * frames + frame) as f32).collect();
    let rows: Vec<Vec<f32>> = (0..planes * bins).map(row).collect();
    let (header, block) = recording(&rows);
    (Header { start: 500, hop: 10, planes, frames: Some(frames as u64), ..header }, block)
}

#[test]
fn tokens_are_in_the_order_of_vit() {
    for ((planes, n_bins), n, (bins, frames)) in [
        ((1, 6), 8, (2, 4)),
        ((2, 6), 11, (3, 2)),
        ((3, 4), 9, (4, 1)),
        ((1, 5), 7, (1, 3)),
        ((2, 3), 70, (3, 70)),
    ] {
        let (header, block) = features((planes, n_bins), n);
        let parameters = json!({"frames": frames, "bins": bins});
        let outcome = run(&patchify(parameters), &[(header, block.clone())]);
        let (header, tokens) = &outcome.signals[0];
        let (planes, n_bins): (usize, usize) = (planes.into(), n_bins.into());
        let (bands, columns) = (n_bins / bins, n / frames);
        assert_eq!(
            (header.channels as usize, header.frames),
            (planes * bins * frames, Some((bands * columns) as u64))
        );
        assert_eq!((header.hop, header.start, usize::from(header.planes)), (10 * frames as u32, 500, planes));
        // As `reshape([planes, bands, bins, columns, frames])` with the axes (bands, columns, planes, bins, frames).
        let mut values = tokens.iter();
        for (plane, inner) in
            (0..planes).flat_map(|plane| (0..bins * frames).map(move |inner| (plane, inner)))
        {
            for (token, found) in values.next().unwrap().iter().enumerate() {
                let (band, column) = (token / columns, token % columns);
                let (bin, frame) = (band * bins + inner / frames, column * frames + inner % frames);
                assert_eq!(*found, block.channel(plane * n_bins + bin)[frame]);
            }
        }
        assert!(values.next().is_none());
        let left = (n - columns * frames) as u64;
        assert_eq!(outcome.counts.get("left_over_frames").copied().unwrap_or(0), left);
    }
}

/// What `torch.nn.functional.unfold(x, (2, 3), stride=(2, 3))` gives for `x = torch.arange(48.).view(1, 2, 4, 6)`.
#[test]
fn as_torch_unfolds() {
    let tokens = run(&patchify(json!({"frames": 3, "bins": 2})), &[features((2, 4), 6)]).signals.remove(0).1;
    let wanted = [
        [0.0, 3.0, 12.0, 15.0],
        [1.0, 4.0, 13.0, 16.0],
        [2.0, 5.0, 14.0, 17.0],
        [6.0, 9.0, 18.0, 21.0],
        [7.0, 10.0, 19.0, 22.0],
        [8.0, 11.0, 20.0, 23.0],
        [24.0, 27.0, 36.0, 39.0],
        [25.0, 28.0, 37.0, 40.0],
        [26.0, 29.0, 38.0, 41.0],
        [30.0, 33.0, 42.0, 45.0],
        [31.0, 34.0, 43.0, 46.0],
        [32.0, 35.0, 44.0, 47.0],
    ];
    assert_eq!(tokens, wanted.map(Vec::from));
}

#[test]
fn without_bins_frames_are_stacked() {
    let (header, tokens) = run(&patchify(json!({"frames": 4})), &[features((1, 3), 9)]).signals.remove(0);
    assert_eq!((header.channels, header.frames, header.hop), (12, Some(2), 40));
    let second: Vec<f32> = tokens.iter().map(|value| value[1]).collect();
    assert_eq!(second, [4.0, 5.0, 6.0, 7.0, 13.0, 14.0, 15.0, 16.0, 22.0, 23.0, 24.0, 25.0]);
    let audio = run(&patchify(json!({"frames": 2})), &[clip(7, &[1.0, 2.0, 3.0, 4.0])]).signals.remove(0);
    assert_eq!((audio.0.hop, audio.1), (2, vec![vec![1.0, 3.0], vec![2.0, 4.0]]));
}

#[test]
fn a_token_is_masked_where_a_frame_of_it_is() {
    let masked = |mask: &[(u64, u64)], bins: u16| {
        let (mut header, block) = features((1, 4), 14);
        header.mask = Some(Mask::marked(mask.into()));
        let parameters = json!({"frames": 4, "bins": bins});
        run(&patchify(parameters), &[(header, block)]).signals.remove(0).0.mask.unwrap().covered.to_vec()
    };
    assert_eq!(masked(&[(3, 4), (5, 6)], 4), [(0, 2)]);
    assert_eq!(masked(&[(0, 4), (8, 13)], 4), [(0, 1), (2, 3)]);
    assert_eq!(masked(&[(4, 9)], 4), [(1, 3)]);
    // Frames that are dropped mask nothing, and what touches across bands is one run.
    assert_eq!(masked(&[(12, 14)], 4), []);
    assert_eq!(masked(&[(0, 1), (9, 10)], 2), [(0, 1), (2, 4), (5, 6)]);
}

#[test]
fn a_clip_without_a_patch_gives_none() {
    let outcome = run(&patchify(json!({"frames": 8})), &[features((1, 2), 7), features((1, 2), 8)]);
    assert_eq!((outcome.signals.len(), outcome.counts["too_short"]), (1, 1));
    assert_eq!(outcome.counts.get("left_over_frames"), None);
}

#[test]
fn what_is_known_beforehand() {
    let given = |parameters: Value, signal: SignalType| match patchify(parameters)
        .output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]))
    {
        Ok(Flow::Signal(signal)) => Ok(signal),
        Ok(other) => panic!("{other}"),
        Err(message) => Err(message),
    };
    let mel = |frames| {
        let signal = SignalType::audio(Some(16_000), Some(128), Unit::Clip);
        SignalType { hop: 512, frames, most_frames: frames, ..signal }
    };
    // Myna, 50k and 100k samples: 48 and 96 tokens of 16 × 16.
    let signal = given(json!({"frames": 16, "bins": 16}), mel(Some(98))).unwrap();
    assert_eq!(
        (signal.frames, signal.most_frames, signal.channels, signal.hop),
        (Some(48), Some(48), Some(256), 8192)
    );
    assert_eq!(given(json!({"frames": 16, "bins": 16}), mel(Some(196))).unwrap().frames, Some(96));
    assert_eq!(given(json!({"frames": 2}), mel(Some(98))).unwrap().frames, Some(49));
    assert_eq!(given(json!({"frames": 2}), mel(None)).unwrap().frames, None);
    let planes = |planes| SignalType { planes, ..mel(Some(98)) };
    assert_eq!(given(json!({"frames": 2, "bins": 32}), planes(2)).unwrap().channels, Some(128));
    assert!(
        given(json!({"frames": 2, "bins": 128}), planes(2)).unwrap_err().message.contains("does not divide")
    );
    assert!(given(json!({"frames": 2, "bins": 3}), mel(None)).unwrap_err().message.contains("3 of 128"));
    assert!(given(json!({"frames": 512}), mel(None)).unwrap_err().message.contains("65536 values"));
    assert!(given(json!({"frames": 99}), mel(Some(98))).unwrap_err().message.contains("99 of 98"));
    let hop = SignalType { hop: 1 << 30, ..mel(None) };
    assert!(given(json!({"frames": 4}), hop).unwrap_err().message.contains("hop"));
    assert!(given(json!({"frames": 4}), SignalType { unit: Unit::Recording, ..mel(None) }).is_err());
    assert!(given(json!({"frames": 4}), SignalType { channels: None, ..mel(None) }).is_err());
}

#[test]
fn ranges_are_enforced() {
    assert_eq!(wrong(&patchify(json!({"frames": 0}))), Some("frames".into()));
    assert_eq!(wrong(&patchify(json!({"frames": 1, "bins": 0}))), Some("bins".into()));
    assert_eq!(wrong(&patchify(json!({"frames": 65535, "bins": 65535}))), None);
}
