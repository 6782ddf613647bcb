//! Any history of edits, runs, crashes, damage and collections of garbage, against a simple model: what is
//! computed is what the model says is stale, and what a run ends with is what a clean run gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::bench::{Bench, Parameters, Where};
use super::disk::{Fault, walk};
use super::toy::{Corpus, FILTERED, REJECTED, computed, set_corpus};
use crate::run::Again;
use crate::store::Store;

/// What someone does.
#[derive(Debug, Clone)]
enum Step {
    /// An item comes, or its content changes.
    Put(u8, u32),
    /// Many come at once, so that buckets split.
    Grow(u8),
    Remove(u8),
    /// The same content under another name.
    Rename(u8, u8),
    Parameters(Parameters),
    Run,
    Retry,
    Force,
    /// Two runs at once.
    Both,
    /// A run that ends at some operation; whether what was not synchronised is lost, and what is forced.
    Crash(u64, bool, Again),
    Gc(usize),
    /// A bit of some file is flipped, found, and what it was in is made again.
    Damage(usize, usize),
    /// Bits of some files are flipped, of the store or of copies, and nobody looks before the next run.
    Rot(Vec<(usize, usize, bool)>),
}

fn step() -> impl Strategy<Value = Step> {
    let content = 0u32..10;
    prop_oneof![
        6 => (0u8..30, content).prop_map(|(key, content)| Step::Put(key, content)),
        1 => (1u8..30).prop_map(Step::Grow),
        3 => (0u8..30).prop_map(Step::Remove),
        2 => (0u8..30, 0u8..30).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => (1u32..3, 1u32..3, 1u32..3)
            .prop_map(|(keep, amount, version)| Step::Parameters(Parameters { keep, amount, version })),
        10 => Just(Step::Run),
        1 => Just(Step::Retry),
        1 => Just(Step::Force),
        1 => Just(Step::Both),
        4 => (0u64..80, any::<bool>()).prop_map(|(at, lost)| Step::Crash(at, lost, Again::Nothing)),
        1 => (0u64..80, any::<bool>()).prop_map(|(at, lost)| Step::Crash(at, lost, Again::Everything)),
        2 => (1usize..4).prop_map(Step::Gc),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(file, bit)| Step::Damage(file, bit)),
        2 => prop::collection::vec(any::<(usize, usize, bool)>(), 1..4).prop_map(Step::Rot),
    ]
}

/// An outcome: of what fingerprint, of which item, made from what.
type Outcome = (String, String, String);

/// Outcomes of the two stages.
type Outcomes = [BTreeSet<Outcome>; 2];

/// The files that a run ended with, by name.
type Result = BTreeMap<String, Vec<u8>>;

/// What the model says.
struct Model {
    bench: Bench,
    corpus: Corpus,
    parameters: Parameters,
    /// What is in the store, and what may be.
    known: Outcomes,
    perhaps: Outcomes,
    /// What each run ended with, by its number, and the stages that came to their end.
    runs: BTreeMap<u64, (Outcomes, BTreeSet<String>)>,
    /// The outcomes of `second` that are totalled.
    totals: BTreeSet<BTreeSet<Outcome>>,
    /// Runs before this one may have lost what they ended with.
    certain: u64,
    clean: BTreeMap<(Corpus, Parameters), Arc<Result>>,
}

impl Model {
    fn new(place: Where) -> Self {
        Self {
            bench: Bench::new(place),
            corpus: Corpus::new(),
            parameters: Parameters::default(),
            known: Outcomes::default(),
            perhaps: Outcomes::default(),
            runs: BTreeMap::new(),
            totals: BTreeSet::new(),
            certain: 0,
            clean: BTreeMap::new(),
        }
    }

    fn store(&self) -> Store {
        self.bench.store()
    }

    /// What a run now would end with.
    fn outcomes(&self) -> Outcomes {
        let Parameters { keep, amount, version } = &self.parameters;
        let first = |(key, content): (&String, &u32)| {
            (format!("{keep}, {version}"), key.clone(), content.to_string())
        };
        let second = |(key, content): (&String, &u32)| {
            (!matches!(*content, FILTERED | REJECTED))
                .then(|| (amount.to_string(), key.clone(), format!("{}", content / keep * 10 + version)))
        };
        [self.corpus.iter().map(first).collect(), self.corpus.iter().filter_map(second).collect()]
    }

    fn ended(&mut self, outcomes: &Outcomes) {
        for (known, outcomes) in self.known.iter_mut().zip(outcomes) {
            known.extend(outcomes.iter().cloned());
        }
        self.perhaps.iter_mut().zip(&self.known).for_each(|(perhaps, known)| {
            perhaps.retain(|outcome| !known.contains(outcome));
        });
        self.totals.insert(outcomes[1].clone());
        self.recorded(outcomes);
    }

    /// A run has left its record, of all stages or of some.
    fn recorded(&mut self, outcomes: &Outcomes) {
        let store = self.store();
        for number in store.run_numbers().unwrap() {
            let stages = || store.run(number).unwrap().unwrap().stages.into_keys().collect();
            self.runs.entry(number).or_insert_with(|| (outcomes.clone(), stages()));
        }
    }

    /// Neither more nor less was computed than is stale; `also` are items that were asked for.
    fn exact(&self, computed: &[Vec<String>; 2], outcomes: &Outcomes, also: &[BTreeSet<String>; 2]) {
        for stage in 0..2 {
            let of = |wanted: &dyn Fn(&Outcome) -> bool| -> BTreeSet<String> {
                outcomes[stage]
                    .iter()
                    .filter(|outcome| wanted(outcome))
                    .map(|(_, key, _)| key.clone())
                    .collect()
            };
            let stale = of(&|outcome| !self.known[stage].contains(outcome));
            let certain =
                of(&|outcome| !self.known[stage].contains(outcome) && !self.perhaps[stage].contains(outcome));
            let found: BTreeSet<String> = computed[stage].iter().cloned().collect();
            let most: BTreeSet<String> = stale.union(&also[stage]).cloned().collect();
            let least: BTreeSet<String> = certain.union(&also[stage]).cloned().collect();
            assert!(found.is_subset(&most), "stage {stage}: computed {found:?}, stale {most:?}");
            assert!(least.is_subset(&found), "stage {stage}: computed {found:?}, stale {least:?}");
        }
    }

    /// What a run ended with is what a clean run gives.
    fn identical(&mut self) {
        let key = (self.corpus.clone(), self.parameters.clone());
        let clean = match self.clean.get(&key) {
            Some(clean) => clean.clone(),
            None => {
                let clean = Arc::new(self.bench.clean(&self.corpus, &self.parameters));
                self.clean.insert(key, clean.clone());
                clean
            }
        };
        let result = self.bench.result(&self.store(), &self.parameters);
        let differ: Vec<_> = clean.keys().filter(|name| result.get(*name) != clean.get(*name)).collect();
        assert!(*clean == result, "not what a clean run gives: {differ:?}");
    }

    /// All that snapshots name is there.
    fn resolves(&self) -> BTreeSet<String> {
        let store = self.store();
        let mut named = BTreeSet::new();
        for text in store.texts().unwrap() {
            let Some(snapshot) = store.snapshot_at(&text).unwrap() else { continue };
            for file in snapshot.files {
                let found = store.sizes(&[&file.path]).unwrap();
                assert_eq!(found, [Some(file.bytes)], "{text} names {}", file.path);
                named.insert(file.path);
            }
        }
        named
    }

    fn run(&mut self, again: Again) {
        let outcomes = self.outcomes();
        let (outcome, computed) = self.bench.run(self.store(), &self.corpus, &self.parameters, again);
        outcome.unwrap();
        let all =
            |stage: usize| outcomes[stage].iter().map(|(_, key, _)| key.clone()).collect::<BTreeSet<_>>();
        let also = match again {
            Again::Nothing => Default::default(),
            Again::Rejected => {
                let rejected = self.corpus.iter().filter(|(_, content)| **content == REJECTED);
                [rejected.map(|(key, _)| key.clone()).collect(), BTreeSet::new()]
            }
            Again::Everything => [all(0), all(1)],
        };
        // Each item once.
        for items in &computed {
            assert!(items.windows(2).all(|pair| pair[0] != pair[1]), "computed twice: {items:?}");
        }
        self.exact(&computed, &outcomes, &also);
        let needless = again != Again::Everything && self.totals.contains(&outcomes[1]);
        assert!(!(self.bench.totalled() && needless), "total ran although it was there");
        self.ended(&outcomes);
        self.identical();
    }

    fn crash(&mut self, at: u64, lost: bool, again: Again) {
        let outcomes = self.outcomes();
        let (store, faults) = self.bench.faulty(at, Fault::CrashAfter);
        let (outcome, computed) = self.bench.run(store, &self.corpus, &self.parameters, again);
        self.bench.totalled();
        if lost && faults.crashed() {
            self.bench.lose(&faults);
        }
        self.bench.time_passes();
        let _ = fs::remove_dir_all(self.bench.folder.path().join("aside"));
        if outcome.is_ok() {
            if again == Again::Nothing {
                self.exact(&computed, &outcomes, &Default::default());
            }
            self.ended(&outcomes);
            return;
        }
        if again != Again::Nothing {
            self.totals.clear();
        }
        for (perhaps, outcomes) in self.perhaps.iter_mut().zip(&outcomes) {
            perhaps.extend(outcomes.iter().cloned());
        }
        self.perhaps.iter_mut().zip(&self.known).for_each(|(perhaps, known)| {
            perhaps.retain(|outcome| !known.contains(outcome));
        });
        // It may have got as far as a record, which may be lost again.
        let numbers = self.store().run_numbers().unwrap();
        self.runs.retain(|number, _| numbers.contains(number));
        self.recorded(&outcomes);
    }

    fn both(&mut self) {
        let outcomes = self.outcomes();
        set_corpus(&self.bench.name, &self.corpus);
        let runs: Vec<_> = std::thread::scope(|scope| {
            let run = || {
                let engine = self.bench.engine(self.store(), &self.parameters, 1);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(engine.run(&self.bench.pipeline(&self.parameters)))
            };
            let threads = [scope.spawn(run), scope.spawn(run)];
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        runs.into_iter().for_each(|run| drop(run.unwrap()));
        let computed = ["first", "second"].map(|stage| computed(&self.bench.name, stage));
        self.bench.totalled();
        self.exact(&computed, &outcomes, &Default::default());
        self.ended(&outcomes);
        self.identical();
    }

    fn gc(&mut self, keep: usize) {
        self.store().gc(keep, true).unwrap();
        self.totals.clear();
        // Each stage keeps what its last runs ended with.
        let last = |stage: &str| -> Vec<u64> {
            let ended = self.runs.iter().rev().filter(|(_, (_, stages))| stages.contains(stage));
            ended.take(keep).map(|(number, _)| *number).collect()
        };
        let kept = ["first", "second", "total"].map(last);
        let mut before = std::mem::take(&mut self.known);
        before.iter_mut().zip(&mut self.perhaps).for_each(|(before, perhaps)| before.append(perhaps));
        for (stage, numbers) in kept[..2].iter().enumerate() {
            for number in numbers {
                let certain = *number >= self.certain;
                let into = if certain { &mut self.known[stage] } else { &mut self.perhaps[stage] };
                into.extend(self.runs[number].0[stage].iter().cloned());
            }
        }
        self.runs.retain(|number, _| kept.iter().any(|kept| kept.contains(number)));
        assert_eq!(self.store().run_numbers().unwrap(), self.runs.keys().copied().collect::<Vec<_>>());
        let named = self.resolves();
        let there: BTreeSet<String> =
            self.store().all("data").unwrap().into_iter().map(|entry| entry.path).collect();
        if self.all_snapshots_are_there(&kept) {
            assert_eq!(there, named, "after a collection there are orphans");
        } else {
            // They can be made again from shards, which are kept for that.
            assert!(named.is_subset(&there));
            self.perhaps.iter_mut().zip(before).for_each(|(perhaps, before)| perhaps.extend(before));
        }
        let known = &self.known;
        self.perhaps.iter_mut().zip(known).for_each(|(perhaps, known)| {
            perhaps.retain(|outcome| !known.contains(outcome));
        });
        assert!(self.store().gc(keep, false).unwrap().garbage.is_empty(), "not all garbage was collected");
    }

    /// Whether what the kept runs ended with is there as they say.
    fn all_snapshots_are_there(&self, kept: &[Vec<u64>; 3]) -> bool {
        let store = self.store();
        ["first", "second", "total"].iter().zip(kept).all(|(stage, numbers)| {
            numbers.iter().all(|number| {
                let record = store.run(*number).unwrap().unwrap().stages.remove(*stage).unwrap();
                store.snapshot(&record.fingerprint, &record.inputs).unwrap().is_some()
            })
        })
    }

    fn damage(&mut self, file: usize, bit: usize) {
        let store = self.store();
        let named = self.resolves();
        let mut files: Vec<String> = named.into_iter().chain(store.texts().unwrap()).collect();
        if files.is_empty() {
            return;
        }
        files.sort();
        let damaged = &files[file % files.len()];
        if self.bench.flip(damaged, bit).is_none() {
            return;
        }
        let engine = self.bench.engine(store, &self.parameters, 1);
        let found = engine.verify(false).unwrap();
        assert!(found.damaged.iter().any(|damage| damage.path == *damaged), "{damaged} bit {bit}: not found");
        self.repair();
    }

    fn rot(&mut self, flips: &[(usize, usize, bool)]) {
        let store = self.store();
        let mut files: Vec<String> = self.resolves().into_iter().chain(store.texts().unwrap()).collect();
        files.sort();
        let mut damaged = BTreeSet::new();
        for (file, bit, copy) in flips.iter().filter(|_| !files.is_empty()) {
            let path = &files[file % files.len()];
            if *copy && self.bench.flip_copy(path, *bit) {
                continue;
            }
            if damaged.insert(path) && self.bench.flip(path, *bit).is_none() {
                damaged.remove(path);
            }
        }
        let outcomes = self.outcomes();
        let (outcome, _) = self.bench.run(store.clone(), &self.corpus, &self.parameters, Again::Nothing);
        self.bench.totalled();
        match outcome {
            // What was read was as it should be: of what the run ended with, nothing differs but what it left alone.
            Ok(_) => {
                let clean = self.bench.clean(&self.corpus, &self.parameters);
                let result = self.bench.result(&store, &self.parameters);
                assert!(result.keys().eq(clean.keys()));
                for (name, bytes) in result {
                    let left = damaged.contains(&format!("data/{name}"));
                    assert!(left || clean[&name] == bytes, "{name} was made from what is damaged");
                }
            }
            Err(error) => {
                let told = error.to_string();
                assert!(!damaged.is_empty() && told.contains("damaged"), "{told}, of {damaged:?}");
            }
        }
        for (perhaps, outcomes) in self.perhaps.iter_mut().zip(&outcomes) {
            perhaps.extend(outcomes.iter().cloned());
        }
        let readable = |number: &u64| store.run(*number).unwrap().is_some();
        let numbers: Vec<u64> = store.run_numbers().unwrap().into_iter().filter(readable).collect();
        self.runs.retain(|number, _| numbers.contains(number));
        for number in numbers {
            let stages = store.run(number).unwrap().unwrap().stages.into_keys().collect();
            self.runs.entry(number).or_insert_with(|| (outcomes.clone(), stages));
        }
        self.repair();
    }

    /// Everything is looked at; what is damaged is made again.
    fn repair(&mut self) {
        let engine = self.bench.engine(self.store(), &self.parameters, 1);
        engine.verify(true).unwrap();
        assert!(engine.verify(false).unwrap().damaged.is_empty());
        for (known, perhaps) in self.known.iter_mut().zip(&mut self.perhaps) {
            perhaps.append(known);
        }
        self.totals.clear();
        let left = self.store().run_numbers().unwrap();
        self.certain = self.runs.keys().last().map_or(0, |last| last + 1);
        self.runs.retain(|number, _| left.contains(number));
        self.run(Again::Nothing);
    }

    fn step(&mut self, step: &Step) {
        let key = |index: u8| format!("item-{index}");
        match step {
            Step::Put(index, content) => drop(self.corpus.insert(key(*index), *content)),
            Step::Grow(count) => {
                for index in 0..*count {
                    self.corpus.entry(key(index)).or_insert(u32::from(index) % 10);
                }
            }
            Step::Remove(index) => drop(self.corpus.remove(&key(*index))),
            Step::Rename(from, to) => {
                if let Some(content) = self.corpus.remove(&key(*from)) {
                    self.corpus.insert(key(*to), content);
                }
            }
            Step::Parameters(parameters) => self.parameters = parameters.clone(),
            // Without an item there is nothing that a run could keep.
            _ if self.corpus.values().all(|content| matches!(*content, FILTERED | REJECTED)) => {}
            Step::Run => self.run(Again::Nothing),
            Step::Retry => self.run(Again::Rejected),
            Step::Force => self.run(Again::Everything),
            Step::Both => self.both(),
            Step::Crash(at, lost, again) => self.crash(*at, *lost, *again),
            Step::Gc(keep) => self.gc(*keep),
            Step::Damage(file, bit) => self.damage(*file, *bit),
            Step::Rot(flips) => self.rot(flips),
        }
        self.resolves();
    }
}

/// `make soak` asks for more.
fn cases() -> u32 {
    std::env::var("ETUDE_SOAK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(Config { cases: cases(), failure_persistence: None, max_shrink_iters: 300, ..Config::default() })]

    #[test]
    fn any_history_ends_as_a_clean_run(
        place in prop::sample::select(Where::ALL),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut model = Model::new(place);
        for step in &steps {
            model.step(step);
        }
        assert!(walk(&model.bench.root().join("scratch")).len() < 2 * steps.len());
        if !model.corpus.values().all(|content| matches!(*content, FILTERED | REJECTED)) {
            model.run(Again::Nothing);
        }
    }
}
