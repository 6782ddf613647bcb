//! Units: what stands between two materialised stages runs as one.

use serde_json::json;

use crate::error::Error;
use crate::flow::Flow;
use crate::operator::{Body, Link};
use crate::spec::Pipeline;

/// A materialising stage with the stages that are fused into it.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The stage whose output is kept.
    pub stage: usize,
    /// What it reads, by port. An item stage has one.
    pub feeds: Vec<(&'static str, Vec<Feed>)>,
    /// The kept stages that item operators in it read besides, each once.
    pub sides: Vec<usize>,
    /// Whether the stage is a sink of items.
    pub items: bool,
}

/// One input of a unit.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Where it begins: a source or a materialised stage.
    pub head: usize,
    /// The item stages after that, in order.
    pub chain: Vec<usize>,
}

impl Unit {
    /// All units of a pipeline, each after those it reads.
    pub fn of(pipeline: &Pipeline) -> Result<Vec<Self>, Error> {
        let mut units = Vec::new();
        for &stage in &pipeline.order {
            let items = match pipeline.stages[stage].operator.body() {
                Body::Sink(_) | Body::Tabulate(_) => true,
                Body::Dataset(_) => false,
                _ => continue,
            };
            let mut feeds = Vec::new();
            for (port, reads) in &pipeline.stages[stage].inputs {
                let feed = reads.iter().map(|read| Feed::of(pipeline, *read)).collect::<Vec<_>>();
                for feed in &feed {
                    let head = &pipeline.stages[feed.head];
                    let signals = matches!(head.flow, Flow::Signal(_));
                    if !items && (!head.materialises() || !signals && !feed.chain.is_empty()) {
                        let message = format!(
                            "{} reads what is kept: put `op: shards` above it",
                            pipeline.stages[stage].declaration.name
                        );
                        return Err(pipeline.error_at(stage, port, message));
                    }
                }
                feeds.push((*port, feed));
            }
            let mut unit = Self { stage, feeds, sides: Vec::new(), items };
            unit.sides = unit.find_sides(pipeline)?;
            units.push(unit);
        }
        for stage in (0..pipeline.stages.len()).rev() {
            let runs =
                |unit: &Self| unit.stages().contains(&stage) || unit.feeds().any(|feed| feed.head == stage);
            if !units.iter().any(runs) {
                let message = format!(
                    "nothing keeps what stage `{}` gives: put a stage below it that does, such as shards, pool or train",
                    pipeline.stages[stage].name
                );
                return Err(pipeline.error_at(stage, "", message));
            }
        }
        Ok(units)
    }

    /// All its inputs.
    pub fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter().flat_map(|(_, feeds)| feeds)
    }

    /// All kept stages that it reads.
    pub fn heads(&self) -> impl Iterator<Item = usize> {
        self.feeds().map(|feed| feed.head).chain(self.sides.iter().copied())
    }

    /// The kept stage below its main input.
    pub fn main(&self) -> Option<usize> {
        Some(self.feeds.iter().find(|(port, _)| *port == "from")?.1.first()?.head)
    }

    /// The same, where its shards may come when they are asked for: no operator of a chain reads them besides.
    pub fn asked(&self) -> Option<usize> {
        self.main().filter(|head| !self.sides.contains(head))
    }

    fn find_sides(&self, pipeline: &Pipeline) -> Result<Vec<usize>, Error> {
        let mut sides = Vec::new();
        for &at in self.feeds().flat_map(|feed| &feed.chain) {
            for (port, reads) in pipeline.stages[at].inputs.iter().skip(1) {
                for &side in reads {
                    if !pipeline.stages[side].materialises() {
                        let name = pipeline.stages[at].declaration.name;
                        let message =
                            format!("{name} reads at `{port}` what is kept: put `op: shards` above it");
                        return Err(pipeline.error_at(at, port, message));
                    }
                    if !sides.contains(&side) {
                        sides.push(side);
                    }
                }
            }
        }
        Ok(sides)
    }

    /// The stages that run in it, its own last.
    pub fn stages(&self) -> Vec<usize> {
        let mut stages: Vec<usize> = self.feeds().flat_map(|feed| feed.chain.iter().copied()).collect();
        stages.push(self.stage);
        stages
    }

    /// The same as it is kept in a record: with the values that the fingerprint sees, digests of files among them.
    pub fn recorded(&self, pipeline: &Pipeline) -> Vec<Link> {
        self.stages().into_iter().map(|stage| recorded(pipeline, stage)).collect()
    }

    /// The scans that find its items, with the values that decide which.
    pub fn sources(&self, pipeline: &Pipeline) -> Vec<Link> {
        let mut scans: Vec<usize> = self
            .feeds()
            .flat_map(|feed| match pipeline.stages[feed.head].flow {
                Flow::Table(_) => pipeline.scans(feed.head),
                _ => vec![feed.head],
            })
            .filter(|stage| matches!(pipeline.stages[*stage].operator.body(), Body::Scan(_)))
            .collect();
        scans.dedup();
        scans.into_iter().map(|stage| recorded(pipeline, stage)).collect()
    }

    /// The digest of all that decides the output besides the inputs' content: operators, versions,
    /// values of parameters, and seed and stage name where something random is drawn.
    pub fn fingerprint(&self, pipeline: &Pipeline) -> Result<String, Error> {
        let describe = |at: usize| -> Result<serde_json::Value, Error> {
            let stage = &pipeline.stages[at];
            let values = stage.declaration.values(&stage.parameters()).map_err(|invalid| {
                pipeline.error_at(
                    at,
                    &invalid.parameter,
                    format!("{}: {}", stage.declaration.name, invalid.message),
                )
            })?;
            let mut description = json!([stage.declaration.name, stage.declaration.version, values]);
            if stage.operator.random()
                && let Some(list) = description.as_array_mut()
            {
                list.push(json!([stage.name, pipeline.seed]));
            }
            Ok(description)
        };
        let ports = pipeline.stages[self.stage].declaration.ports;
        let mut parts = vec![describe(self.stage)?];
        for (port, feeds) in &self.feeds {
            for feed in feeds {
                let head = &pipeline.stages[feed.head];
                // How a head is read matters; what it holds is the inputs' digest. A table only names items.
                let names_items = self.items && matches!(head.flow, Flow::Table(_));
                let reader = (head.materialises() && !names_items)
                    .then(|| json!([head.declaration.name, head.declaration.version]));
                let chain = feed.chain.iter().map(|at| describe(*at)).collect::<Result<Vec<_>, _>>()?;
                // Which stage is read at which port: what all of them hold is the inputs' digest.
                for (at, port, read) in feed.chain.iter().enumerate().flat_map(|(at, stage)| {
                    pipeline.stages[*stage].sides().map(move |(port, read)| (at, port, read))
                }) {
                    let place = self.sides.iter().position(|side| *side == read);
                    let read = &pipeline.stages[read];
                    parts.push(json!([at, port, place, read.declaration.name, read.declaration.version]));
                }
                // Where several stages may be read, their names tell them apart in the output.
                let many = ports.iter().any(|known| known.name == *port && known.many);
                let name = many.then_some(&head.name);
                let columns = pipeline.stages[self.stage].columns.as_ref().map(|columns| columns.to_string());
                parts.push(json!([port, reader, chain, name, columns]));
            }
        }
        Ok(digest(&[serde_json::to_string(&parts)?.as_str()]))
    }
}

fn recorded(pipeline: &Pipeline, stage: usize) -> Link {
    let (stage, link) = (&pipeline.stages[stage], pipeline.stages[stage].link());
    // A file that cannot be read is told of elsewhere.
    let parameters = stage.declaration.values(&link.parameters).unwrap_or_default();
    Link { parameters, ..link }
}

impl Feed {
    fn of(pipeline: &Pipeline, read: usize) -> Self {
        let mut chain = Vec::new();
        let mut at = read;
        while matches!(pipeline.stages[at].operator.body(), Body::Read(_) | Body::Map(_)) {
            chain.push(at);
            match pipeline.stages[at].main() {
                Some(above) => at = above,
                None => break,
            }
        }
        chain.reverse();
        Self { head: at, chain }
    }
}

/// Bytes that are hashed at once.
const BUFFER: usize = 1 << 14;

/// A short digest of a list of texts.
pub fn digest(parts: &[&str]) -> String {
    digest_all(parts.iter().copied())
}

/// The same of texts that are not in a list.
pub fn digest_all<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    // Many bytes at once are hashed much faster than a few.
    let mut buffer = Vec::with_capacity(2 * BUFFER);
    for part in parts {
        buffer.extend((part.len() as u64).to_le_bytes());
        buffer.extend(part.as_bytes());
        if buffer.len() >= BUFFER {
            hasher.update(&buffer);
            buffer.clear();
        }
    }
    hasher.update(&buffer).finalize().to_hex()[..32].to_owned()
}
