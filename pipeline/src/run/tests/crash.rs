//! A crash before and after every operation that changes the store, and again while what it left is recovered.

use std::collections::BTreeMap;

use super::bench::{Bench, Parameters, Where, corpus};
use super::disk::Fault;
use super::toy::Corpus;
use crate::run::Again;

/// What has been run before what crashes: nothing, or another corpus.
fn before(bench: &Bench, history: &[(Corpus, Parameters)]) {
    for (corpus, parameters) in history {
        bench.run(bench.store(), corpus, parameters, Again::Nothing).0.unwrap();
    }
}

/// How many operations a run takes that comes after others.
fn operations(place: Where, history: &[(Corpus, Parameters)], last: &(Corpus, Parameters)) -> u64 {
    let bench = Bench::new(place);
    before(&bench, history);
    let (store, faults) = bench.faulty(u64::MAX, Fault::Full);
    bench.run(store, &last.0, &last.1, Again::Nothing).0.unwrap();
    faults.operations()
}

/// Whatever ended where: the next run ends with what a clean run gives, and nothing is left over.
fn recovers(
    bench: &Bench,
    (corpus, parameters): &(Corpus, Parameters),
    clean: &BTreeMap<String, Vec<u8>>,
    what: &str,
) {
    bench.time_passes();
    let store = bench.store();
    let (outcome, _) = bench.run(store.clone(), corpus, parameters, Again::Nothing);
    outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(*clean == bench.result(&store, parameters), "{what}");
    let verified = bench.engine(store.clone(), parameters, 1).verify(false).unwrap();
    assert!(verified.damaged.is_empty(), "{what}: {:?}", verified.damaged);
    let (_, computed) = bench.run(store, corpus, parameters, Again::Nothing);
    assert!(computed.iter().all(Vec::is_empty), "{what}: {computed:?}");
}

fn history() -> (Vec<(Corpus, Parameters)>, (Corpus, Parameters)) {
    let before = corpus(6);
    let mut after = before.clone();
    after.insert("item-1".into(), 4);
    after.remove("item-2");
    after.extend(corpus(9).split_off("item-6"));
    (vec![(before, Parameters::default())], (after, Parameters::default()))
}

#[test]
fn a_crash_at_any_operation_costs_nothing_but_time() {
    let (full, last) = history();
    for place in Where::ALL {
        for (name, history) in [("clean", &full[..0]), ("incremental", &full[..])] {
            let count = operations(*place, history, &last);
            let clean = Bench::new(*place).clean(&last.0, &last.1);
            let mut crashes = 0;
            for at in 0..count {
                for (fault, lost) in [
                    (Fault::CrashBefore, false),
                    (Fault::CrashBefore, true),
                    (Fault::CrashAfter, false),
                    (Fault::CrashAfter, true),
                ] {
                    let bench = Bench::new(*place);
                    before(&bench, history);
                    let (store, faults) = bench.faulty(at, fault);
                    let _ = bench.run(store, &last.0, &last.1, Again::Nothing);
                    if lost {
                        bench.lose(&faults);
                    }
                    crashes += u64::from(faults.crashed());
                    let what = format!("{place:?}, {name}, {fault:?} {at}, lost {lost}");
                    recovers(&bench, &last, &clean, &what);
                }
            }
            println!("{place:?}, {name}: {count} operations that change the store, {crashes} crashes");
            assert!(count > 10 && crashes > 2 * count, "{count} {crashes}");
        }
    }
}

#[test]
fn a_crash_during_the_recovery_of_a_crash() {
    let (history, last) = history();
    for place in Where::ALL {
        let count = operations(*place, &history, &last);
        let clean = Bench::new(*place).clean(&last.0, &last.1);
        let mut crashes = 0;
        // All pairs would be thousands; of each first crash every seventh second one.
        for first in 0..count {
            for second in (first % 7..count).step_by(7) {
                let bench = Bench::new(*place);
                before(&bench, &history);
                for (at, fault) in [(first, Fault::CrashAfter), (second, Fault::CrashBefore)] {
                    let (store, faults) = bench.faulty(at, fault);
                    let _ = bench.run(store, &last.0, &last.1, Again::Nothing);
                    bench.lose(&faults);
                    bench.time_passes();
                    crashes += u64::from(faults.crashed());
                }
                recovers(&bench, &last, &clean, &format!("{place:?}, crash {first}, then {second}"));
            }
        }
        println!("{place:?}: {crashes} crashes, the second of each pair during the recovery of the first");
        assert!(crashes > count * 2);
    }
}

#[test]
fn an_error_at_any_operation_is_told_or_does_not_matter() {
    let (history, last) = history();
    for place in Where::ALL {
        let count = operations(*place, &history, &last);
        let clean = Bench::new(*place).clean(&last.0, &last.1);
        let mut told = 0;
        for at in 0..count {
            for fault in [Fault::Ambiguous, Fault::Full] {
                let bench = Bench::new(*place);
                before(&bench, &history);
                let (store, _) = bench.faulty(at, fault);
                let (outcome, _) = bench.run(store, &last.0, &last.1, Again::Nothing);
                if let Err(error) = outcome {
                    told += 1;
                    assert!(!error.to_string().is_empty());
                }
                recovers(&bench, &last, &clean, &format!("{place:?}, {fault:?} {at}"));
            }
        }
        println!("{place:?}: {count} operations, {told} of {} errors ended a run", 2 * count);
        assert!(told > 0);
    }
}
