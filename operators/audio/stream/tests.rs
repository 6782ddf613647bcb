use std::sync::atomic::{AtomicU64, Ordering};

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::Step;
use serde_json::json;

use super::kept::{Clip, Kept, link};
use super::*;
use crate::tokens::RandomProjection;

/// What came out, item by item.
#[derive(Debug, Clone, Default, PartialEq)]
struct Signals(Vec<(String, u64, Vec<f32>)>);

impl Output for Signals {
    fn begin(&mut self, header: &Header) -> Step {
        self.0.push((header.item.to_string(), header.start, Vec::new()));
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.0.last_mut().unwrap().2.extend_from_slice(block.channel(0));
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// Items of one to five clips; the one value of a clip says which it is.
fn items() -> Vec<(String, Vec<Clip>)> {
    let clip = |item: usize, clip: usize| vec![vec![(item * 10 + clip) as f32; 1 + item % 3]];
    let item = |item: usize| (format!("item{item:02}"), (0..1 + item % 5).map(|at| clip(item, at)).collect());
    (0..20).map(item).collect()
}

fn kept() -> Kept {
    let items = items();
    Kept::features(&items.iter().map(|(name, clips)| (name.as_str(), clips.clone())).collect::<Vec<_>>())
}

fn source(kept: &Kept, threads: usize) -> Source {
    Source::open(&kept.job(json!({}), threads, Path::new("")), "from").unwrap()
}

#[test]
fn items_come_whole_and_in_order() {
    let expected: Vec<_> = items()
        .into_iter()
        .map(|(name, clips)| {
            let clip = |(at, clip): (usize, &Clip)| (name.clone(), at as u64 * 1600, clip[0].clone());
            Signals(clips.iter().enumerate().map(clip).collect())
        })
        .collect();
    for threads in [1, 2, 7] {
        let kept = kept();
        let source = source(&kept, threads);
        let mut found = Vec::new();
        let take = |signals: Signals, _: &ChainReport| {
            found.push(signals);
            Ok(())
        };
        let cancel = CancellationToken::new();
        source.read(source.items(), |at| source.item(at), |_| Signals::default(), take, &cancel).unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn clips_are_numbered_in_the_order_of_items() {
    let kept = kept();
    let source = source(&kept, 3);
    let expected: Vec<f32> =
        items().iter().flat_map(|(_, clips)| clips.iter().map(|clip| clip[0][0])).collect();
    let count = source.clips().unwrap();
    assert_eq!(count, expected.len() as u64);
    let mut found = Vec::new();
    let take = |signals: Signals, _: &ChainReport| {
        found.extend(signals.0.iter().map(|(.., values)| values[0]));
        Ok(())
    };
    // Backwards, and each twice.
    let place = |at: u64| source.clip(count - 1 - at / 2);
    source.read(2 * count, place, |_| Signals::default(), take, &CancellationToken::new()).unwrap();
    let backwards = expected.iter().rev().flat_map(|value| [*value; 2]);
    assert!(found.into_iter().eq(backwards));
    assert_eq!(source.clip(count), None);
}

#[test]
fn views_of_a_clip_are_read_together() {
    let clip = |value: f32| vec![vec![value]];
    let items = [("a", vec![clip(0.0), clip(1.0)]), ("b", (2..6).map(|value| clip(value as f32)).collect())];
    let kept = Kept::features(&items).in_views(2);
    let source = source(&kept, 2);
    assert_eq!(source.clips().unwrap(), 3);
    let mut found = Vec::new();
    let take = |signals: Signals, _: &ChainReport| {
        found.push(signals.0.into_iter().map(|(.., values)| values[0]).collect::<Vec<_>>());
        Ok(())
    };
    source.read(3, |at| source.clip(at), |_| Signals::default(), take, &CancellationToken::new()).unwrap();
    assert_eq!(found, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    let kept = kept.in_views(4);
    let said = Source::open(&kept.job(json!({}), 1, Path::new("")), "from").unwrap().clips().unwrap_err();
    let expected = "`shards` keeps 2 rows of a recording, which are no clips of 4 views each";
    assert_eq!(said.to_string(), format!("stage `test`: {expected}"));
}

#[test]
fn a_chain_is_run_and_reported() {
    let quantiser: RandomProjection = serde_json::from_value(json!({"entries": 4, "stack": 2})).unwrap();
    let kept = kept().with(vec![link(&quantiser)]);
    let source = source(&kept, 2);
    let frames = AtomicU64::new(0);
    let take = |signals: Signals, _: &ChainReport| {
        frames.fetch_add(signals.0.iter().map(|(.., values)| values.len() as u64).sum(), Ordering::Relaxed);
        Ok(())
    };
    let cancel = CancellationToken::new();
    let report =
        source.read(source.items(), |at| source.item(at), |_| Signals::default(), take, &cancel).unwrap();
    let clips = items().into_iter().flat_map(|(_, clips)| clips).collect::<Vec<_>>();
    assert_eq!(frames.into_inner(), clips.iter().map(|clip| clip[0].len() as u64 / 2).sum::<u64>());
    assert_eq!((report.counts.len(), report.seconds.len()), (1, 1));
    assert_eq!(report.counts[0].rows, clips.len() as u64);
}

#[test]
fn the_first_error_counts_and_nobody_waits_for_ever() {
    for threads in [1, 4] {
        let kept = kept();
        let source = source(&kept, threads);
        let cancel = CancellationToken::new();
        let item = |at| source.item(at);
        let take = |_: Signals, _: &ChainReport| Err(Error::Other("no more".into()));
        let said = source.read(source.items(), item, |_| Signals::default(), take, &cancel).unwrap_err();
        assert_eq!(said.to_string(), "no more");
        // What is not there is told when its turn comes.
        let mut taken = 0;
        let take = |_: Signals, _: &ChainReport| {
            taken += 1;
            Ok(())
        };
        let holes = |at| if at == 5 { None } else { source.item(at) };
        let said = source.read(source.items(), holes, |_| Signals::default(), take, &cancel).unwrap_err();
        assert_eq!((taken, said.to_string().as_str()), (5, "stage `test`: a clip is not there"));
        cancel.cancel();
        let take = |_: Signals, _: &ChainReport| Ok(());
        let ended = source.read(source.items(), item, |_| Signals::default(), take, &cancel);
        assert!(matches!(ended, Err(Error::Cancelled)));
    }
}
