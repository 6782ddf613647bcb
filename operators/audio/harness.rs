//! What unit tests send signals through operators with.

use std::collections::BTreeMap;
use std::sync::Arc;

use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{Body, Context, Inputs, Invalid, Map, Operator, Output, Step, Stop};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Samples a second of all signals here.
pub(crate) const RATE: u32 = 1000;

/// What came out of an operator: headers and samples, what was counted, how it ended.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub signals: Vec<(Header, Vec<Vec<f32>>)>,
    pub counts: BTreeMap<&'static str, u64>,
    pub stop: Option<Stop>,
}

impl Outcome {
    /// Start and first channel of each signal.
    pub fn clips(&self) -> Vec<(u64, Vec<f32>)> {
        self.signals.iter().map(|(header, planes)| (header.start, planes[0].clone())).collect()
    }

    /// The reason for which the item was filtered.
    pub fn reason(&self) -> &str {
        match &self.stop {
            Some(Stop::Filtered { reason }) => reason,
            other => panic!("it was not filtered: {other:?}"),
        }
    }
}

impl Output for Outcome {
    fn begin(&mut self, header: &Header) -> Step {
        self.signals.push((header.clone(), vec![Vec::new(); usize::from(header.channels)]));
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        let (_, planes) = self.signals.last_mut().unwrap();
        for (channel, plane) in planes.iter_mut().enumerate() {
            plane.extend_from_slice(block.channel(channel));
        }
        // Whoever gets a block may leave anything in its place.
        *block = Block::planar(1, vec![f32::NAN; 3]);
        Ok(())
    }

    fn end(&mut self) -> Step {
        let (header, planes) = self.signals.last().unwrap();
        if let Some(frames) = header.frames {
            assert!(planes.iter().all(|plane| plane.len() as u64 == frames), "{header:?} lies");
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        if amount > 0 {
            *self.counts.entry(what).or_default() += amount;
        }
    }
}

/// The same at another rate.
pub(crate) fn at(rate: u32, (header, block): (Header, Block)) -> (Header, Block) {
    (Header { rate, ..header }, block)
}

/// A recording of the item `a`.
pub(crate) fn recording(planes: &[Vec<f32>]) -> (Header, Block) {
    let channels = planes.len() as u16;
    (Header::audio(Arc::from("a"), 0, RATE, channels, None), Block::planar(planes.len(), planes.concat()))
}

/// A clip of the item `a`.
pub(crate) fn clip(start: u64, plane: &[f32]) -> (Header, Block) {
    let (header, block) = recording(&[plane.to_vec()]);
    (Header { start, frames: Some(plane.len() as u64), ..header }, block)
}

/// An operator from its parameters.
pub(crate) fn operator<T: DeserializeOwned>(parameters: Value) -> T {
    serde_json::from_value(parameters).unwrap()
}

/// The parameter that is out of range.
pub(crate) fn wrong(operator: &impl Operator) -> Option<String> {
    operator.check().err().map(|Invalid { parameter, .. }| parameter)
}

/// What an operator gives for recordings or clips.
pub(crate) fn output(operator: &impl Operator, unit: Unit, rate: Option<u32>) -> Result<SignalType, String> {
    let flow = Flow::Signal(SignalType::audio(rate, Some(1), unit));
    match operator.output(&Inputs(vec![("from", vec![&flow])])).map_err(|invalid| invalid.message)? {
        Flow::Signal(signal) => Ok(signal),
        other => panic!("it gives {other}"),
    }
}

fn send(map: &mut dyn Map, signals: &[(Header, Block)], block: usize, output: &mut Outcome) -> Step {
    let parts = |samples: &Block| {
        let frames = samples.frames();
        (0..frames).step_by(block).map(|from| (from, frames.min(from + block))).collect::<Vec<_>>()
    };
    if let Some(survey) = map.survey() {
        survey.item();
        for (header, samples) in signals {
            survey.begin(header)?;
            parts(samples).into_iter().try_for_each(|(from, to)| survey.block(&samples.slice(from, to)))?;
            survey.end()?;
        }
    }
    for (header, samples) in signals {
        map.begin(header, output)?;
        for (from, to) in parts(samples) {
            // In more memory than it takes, as where a block before was a longer one.
            let mut lent = Block::zeros(samples.channels(), 2 * (to - from) + from % 3);
            lent.copy(samples, from, to);
            map.block(&mut lent, output)?;
        }
        map.end(output)?;
    }
    Ok(())
}

/// Sends the signals of one item through, in blocks of any length, which must not matter. Of an item
/// that is stopped nothing counts.
pub(crate) fn run(operator: &impl Operator, signals: &[(Header, Block)]) -> Outcome {
    assert_eq!(wrong(operator), None);
    let Body::Map(make) = operator.body() else { panic!("it maps signals") };
    let mut outcomes = [1, 7, 64, 1000, 1 << 20].map(|block| {
        let context = Context {
            seed: 0,
            stage: Arc::from("test"),
            epoch: 0,
            block,
            cancel: Default::default(),
            sides: Default::default(),
        };
        let mut map = make(context);
        // What an item before has left is forgotten.
        let (header, samples) = &signals[0];
        let mut before = Outcome::default();
        if map.begin(header, &mut before).is_ok() {
            let _ = map.block(&mut samples.slice(0, samples.frames().min(5)), &mut before);
        }
        let mut outcome = Outcome::default();
        outcome.stop = send(map.as_mut(), signals, block, &mut outcome).err();
        if outcome.stop.is_some() {
            outcome.signals.clear();
            outcome.counts.clear();
        }
        outcome
    });
    let [first, others @ ..] = &mut outcomes;
    others.iter().for_each(|other| assert!(first == other, "it depends on blocks"));
    std::mem::take(first)
}
