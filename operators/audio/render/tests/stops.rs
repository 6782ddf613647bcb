//! What cannot be played.

use etude_pipeline::operator::{Output, Step, Stop};

use super::*;

#[test]
fn what_cannot_be_played_says_why() {
    let stop =
        |content: &[u8], parameters: Value| case(content).play_with(parameters, context(1000)).stop.unwrap();
    let silent = song(Track::default().program(0, 1).end(1000));
    assert_eq!(stop(&silent, json!({})), Stop::Filtered { reason: "it has no note".into() });
    assert!(matches!(stop(b"MThd", json!({})), Stop::Rejected { class: "midi", .. }));
    let long = Stop::Rejected {
        class: "limit",
        offset: "0.9 s".into(),
        message: "it lasts 1.0 s, `max_seconds` allows 0.9".into(),
    };
    assert_eq!(stop(&song(second(60)), json!({"max_seconds": 0.9})), long);
    let missing = Stop::Transient {
        message: "soundfont /no/such.sf2 cannot be used: No such file or directory (os error 2)".into(),
    };
    assert_eq!(stop(&song(second(60)), json!({"soundfont": "/no/such.sf2"})), missing);
    let cancelled = context(1000);
    cancelled.cancel.cancel();
    assert_eq!(case(&song(second(60))).play_with(json!({}), cancelled).stop, Some(Stop::Cancelled));
}

/// Cancels the run when a second has come.
struct Canceller(Context, usize);

impl Output for Canceller {
    fn begin(&mut self, _: &Header) -> Step {
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.1 += block.frames();
        if self.1 >= 44_100 {
            self.0.cancel.cancel();
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

#[test]
fn a_long_item_ends_when_the_run_is_cancelled() {
    let case = case(&song(second(60).end(600_000)));
    let Body::Read(make) = case.operator(json!({})).body() else { panic!("it reads items") };
    let context = context(441);
    let mut output = Canceller(context.clone(), 0);
    assert_eq!(make(context).read(&case.item, &mut output), Err(Stop::Cancelled));
    assert_eq!(output.1, 44_100);
}

#[test]
fn a_soundfont_that_cannot_be_used_is_found_beforehand() {
    let case = case(b"");
    let path = case.folder.path().join("test.sf2");
    let check = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        case.operator(json!({})).check().unwrap_err()
    };
    let whole = font::font();
    let wrong = check(b"OggS");
    assert_eq!(wrong.parameter, "soundfont");
    assert!(wrong.message.contains("cannot be used: the RIFF chunk was not found"), "{wrong:?}");
    assert_eq!(check(&whole[..whole.len() / 2]).parameter, "soundfont");
    // A table that points beyond another one: generators of the last preset.
    let at = whole.windows(4).position(|name| name == b"pbag").unwrap() + 8;
    let mut broken = whole.clone();
    broken[at + 4 * 3] = 99;
    let wrong = check(&broken);
    assert!(wrong.message.contains("cannot be used: it is broken: "), "{wrong:?}");
    // One that is not there is found when it is needed.
    std::fs::remove_file(&path).unwrap();
    case.operator(json!({})).check().unwrap();
}

#[test]
fn ranges_are_enforced() {
    let wrong = |parameters: Value| wrong(&case(b"").operator(parameters)).unwrap();
    for (name, values) in [
        ("rate", [json!(44_099), json!(192_001)]),
        ("gain_db", [json!(-60.1), json!(60.1)]),
        ("tail", [json!(-0.1), json!(60.1)]),
        ("programs", [json!([0, 128]), json!([255])]),
        ("transpose", [json!([1, 0]), json!([0, 49])]),
        ("max_seconds", [json!(0), json!(86_401)]),
    ] {
        for value in values {
            assert_eq!(wrong(json!({name: value})), name);
        }
    }
    for parameters in [
        json!({"rate": 192_000, "gain_db": 60, "tail": 60, "programs": [0, 127]}),
        json!({"rate": 44_100, "gain_db": -60, "tail": 0, "transpose": [-48, 48], "max_seconds": 86_400}),
    ] {
        case(b"").operator(parameters).check().unwrap();
    }
    let rows = case(b"").operator(json!({})).output(&Inputs(vec![]));
    assert!(rows.is_err());
}
