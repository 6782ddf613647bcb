//! What a stage gives for one item, to be looked at.

use std::sync::Arc;

use super::chain::{Chain, Trail};
use super::columns::ItemColumns;
use super::engine::Engine;
use super::resolve::Known;
use super::table::{self, Rows};
use super::unit::Unit;
use crate::error::Error;
use crate::flow::{Block, Flow, Header};
use crate::operator::{Item, Output, Step, Stop};
use crate::spec::{ITEM, Pipeline};

/// What a stage gives for one item.
#[derive(Debug, Default)]
pub struct Inspected {
    /// The keys of all items that it has, sorted; none of a table that lists none.
    pub items: Vec<Arc<str>>,
    /// The one that is looked at.
    pub item: Option<Arc<str>>,
    /// Its signals, as many as were asked for, each with its begin.
    pub signals: Vec<(Header, Block)>,
    /// Signals beyond those.
    pub left_out: u64,
    /// What tables above say of the item.
    pub columns: Vec<(String, String)>,
    /// Whether something of a signal is missing at its end.
    pub shortened: bool,
    /// The rows of a table: of the item, or the first ones.
    pub table: Option<Rows>,
    /// What is to be known besides.
    pub notes: Vec<String>,
}

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// The epoch whose numbers are drawn, of what stands below the shards.
    pub epoch: u64,
    /// Signals, or rows of a table.
    pub signals: usize,
    /// Seconds of each signal.
    pub seconds: f64,
}

impl Engine {
    /// What a stage gives for an item, or for the first one. It is computed on the spot, from the nearest
    /// stage above that is in the store; nothing is stored. What draws random numbers draws those of a run.
    ///
    /// Errors: there is no such stage or item; a stage that it needs as a whole is not in the store.
    pub fn inspect(
        &self,
        pipeline: &Pipeline,
        stage: &str,
        item: Option<&str>,
        extent: Extent,
    ) -> Result<Inspected, Error> {
        let target = pipeline.find(stage)?;
        let mut known = Known::default();
        for unit in Unit::of(pipeline)? {
            if let Some(snapshot) =
                self.resolve(pipeline, &unit, &mut known)?.and_then(|found| found.snapshot)
            {
                known.snapshots.insert(unit.stage, snapshot);
            }
        }
        match &pipeline.stages[target].flow {
            Flow::Items => self.inspect_scan(pipeline, target, item, &mut known),
            Flow::Signal(_) => self.inspect_signals(pipeline, target, item, extent, &mut known),
            Flow::Table(_) => self.inspect_table(pipeline, target, item, extent, &known),
            artifact => Err(Error::stage(stage, format!("gives {artifact}, which has no items to look at"))),
        }
    }

    fn inspect_scan(
        &self,
        pipeline: &Pipeline,
        stage: usize,
        item: Option<&str>,
        known: &mut Known,
    ) -> Result<Inspected, Error> {
        let all = self.scan(pipeline, stage, known)?;
        let item = choose(pipeline, stage, &all, item)?;
        let cells = [
            ("item", item.key.to_string().into()),
            ("place", item.place.to_string().into()),
            ("bytes", item.size.into()),
            ("digest", item.digest.to_string().into()),
        ];
        let columns = cells.iter().map(|(name, _)| (*name).to_owned()).collect();
        let row = cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Inspected {
            items: keys(&all),
            item: Some(item.key.clone()),
            table: Some((columns, vec![row])),
            ..Inspected::default()
        })
    }

    fn inspect_table(
        &self,
        pipeline: &Pipeline,
        stage: usize,
        item: Option<&str>,
        extent: Extent,
        known: &Known,
    ) -> Result<Inspected, Error> {
        let snapshot = known.snapshots.get(&stage).ok_or_else(|| self.not_there(pipeline, stage))?;
        self.vouch(&known.vouched, snapshot.files.iter())?;
        let (columns, mut rows) = table::rows(&self.store, snapshot)?;
        let mut inspected = Inspected::default();
        if columns.iter().any(|column| column == ITEM) {
            let mut items: Vec<Arc<str>> =
                rows.iter().filter_map(|row| row.get(ITEM)?.as_str().map(Arc::from)).collect();
            items.sort_unstable();
            items.dedup();
            if let Some(item) = item {
                rows.retain(|row| row.get(ITEM).and_then(|value| value.as_str()) == Some(item));
                if rows.is_empty() {
                    return Err(unknown(pipeline, stage, item, &items));
                }
                inspected.item = Some(item.into());
            }
            inspected.items = items;
        } else if item.is_some() {
            return Err(Error::stage(&pipeline.stages[stage].name, "gives a table without a column `item`"));
        }
        inspected.left_out = rows.len().saturating_sub(extent.signals) as u64;
        rows.truncate(extent.signals);
        inspected.table = Some((columns, rows));
        Ok(inspected)
    }

    fn inspect_signals(
        &self,
        pipeline: &Pipeline,
        stage: usize,
        item: Option<&str>,
        extent: Extent,
        known: &mut Known,
    ) -> Result<Inspected, Error> {
        // Up to what is in the store, or to the recordings. What keeps signals changes nothing of them.
        let (mut head, mut chain, mut passed) = (stage, Vec::new(), None);
        loop {
            let above = &pipeline.stages[head];
            if known.snapshots.contains_key(&head) || matches!(above.flow, Flow::Items | Flow::Table(_)) {
                break;
            }
            if above.streams() {
                chain.push(head);
            } else {
                passed.get_or_insert(head);
            }
            head = above.main().ok_or_else(|| self.not_there(pipeline, head))?;
        }
        chain.reverse();
        for (_, side) in chain.iter().flat_map(|at| pipeline.stages[*at].sides()) {
            let snapshot = known.snapshots.get(&side).ok_or_else(|| self.not_there(pipeline, side))?;
            self.vouch(&known.vouched, snapshot.files.iter())?;
        }
        let stored = matches!(pipeline.stages[head].flow, Flow::Signal(_));
        let mut columns = None;
        let all = match &pipeline.stages[head].flow {
            Flow::Items => self.scan(pipeline, head, known)?.as_ref().clone(),
            Flow::Signal(_) => {
                let snapshot = known.snapshots.get(&head).ok_or_else(|| self.not_there(pipeline, head))?;
                super::items::items_of(&self.store, snapshot)
            }
            _ => {
                let (items, said) =
                    self.chosen(pipeline, head, known)?.ok_or_else(|| self.not_there(pipeline, head))?;
                columns = said;
                items
            }
        };
        let item = choose(pipeline, stage, &all, item)?;
        if let (Some(schema), Some(snapshot)) = (&pipeline.stages[head].columns, known.snapshots.get(&head)) {
            let wanted = [&*item.key].into();
            columns = Some(Arc::new(ItemColumns::of_shards(&self.store, snapshot, schema, &wanted)?));
        }
        let columns = columns.map(|columns| columns.texts(&item.key)).transpose()?.unwrap_or_default();
        let mut inspected =
            Inspected { items: keys(&all), item: Some(item.key.clone()), columns, ..Inspected::default() };
        if let (true, Some(snapshot)) = (stored, known.snapshots.get(&head)) {
            let own = |path: &str| item.place.path().is_some_and(|place| place == self.store.path(path));
            self.vouch(&known.vouched, snapshot.files.iter().filter(|file| own(&file.path)))?;
            inspected.notes.push(format!("read from what `{}` keeps", pipeline.stages[head].name));
        } else {
            inspected.notes.push("computed from the recording: the store has nothing of it".into());
            if let Some(kept) = passed {
                let name = &pipeline.stages[kept].name;
                inspected.notes.push(format!("`{name}` is passed over: what its codec rounds off is not"));
            }
            if extent.epoch != 0 {
                let message = "epochs differ below what is kept, and nothing above it is in the store: \
                               run the pipeline up to its shards first";
                return Err(Error::stage(&pipeline.stages[stage].name, message));
            }
        }
        let links = self.links(pipeline, &chain, known)?;
        let store = stored.then(|| pipeline.stages[head].link());
        let chain =
            Chain::new(&self.table, store.as_ref(), &links, pipeline.seed)?.with_block(self.options.block);
        let mut instance = chain.instance(extent.epoch, &self.cancel)?;
        let mut collect = Collect { extent, inspected: &mut inspected, open: None, full: false };
        let mut trail = Trail::new(chain.len(), None);
        let step = instance.run(item, &mut collect, &mut trail, false);
        let full = collect.full;
        let at = chain_name(pipeline, &links, trail.failed());
        match step {
            Ok(()) => {}
            Err(_) if full => {}
            Err(Stop::Filtered { reason }) => inspected.notes.push(format!("filtered by `{at}`: {reason}")),
            Err(Stop::Rejected { class, offset, message }) => {
                inspected.notes.push(format!("rejected by `{at}` ({class} {offset}): {message}"));
            }
            Err(Stop::Transient { message }) => return Err(Error::stage(&at, message)),
            Err(Stop::Cancelled) => return Err(Error::Cancelled),
        }
        Ok(inspected)
    }

    fn not_there(&self, pipeline: &Pipeline, stage: usize) -> Error {
        let name = &pipeline.stages[stage].name;
        Error::stage(name, format!("is not in the store: `etude run FILE --until {name}` computes it"))
    }
}

fn chain_name(pipeline: &Pipeline, links: &[crate::operator::Link], at: usize) -> String {
    links.get(at).map_or_else(|| pipeline.name.clone(), |link| link.stage.clone())
}

fn keys(items: &[Item]) -> Vec<Arc<str>> {
    items.iter().map(|item| item.key.clone()).collect()
}

fn choose<'a>(
    pipeline: &Pipeline,
    stage: usize,
    items: &'a [Item],
    item: Option<&str>,
) -> Result<&'a Item, Error> {
    let found = match item {
        Some(key) => items.iter().find(|item| &*item.key == key),
        None => items.first(),
    };
    found.ok_or_else(|| match item {
        Some(key) => unknown(pipeline, stage, key, &keys(items)),
        None => Error::stage(&pipeline.stages[stage].name, "has no items"),
    })
}

fn unknown(pipeline: &Pipeline, stage: usize, item: &str, items: &[Arc<str>]) -> Error {
    let names: Vec<&str> = items.iter().map(|key| &**key).collect();
    let nearest = crate::suggest::nearest(item, &names);
    let help = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
    Error::stage(&pipeline.stages[stage].name, format!("has no item `{item}`{help}"))
}

/// Keeps the first signals, and the begin of each.
struct Collect<'a> {
    extent: Extent,
    inspected: &'a mut Inspected,
    /// The signal that is open, its planes, and how many frames of it are kept.
    open: Option<(Header, Vec<Vec<f32>>, usize)>,
    /// Whether all is there that is to be shown, so that the rest need not be computed.
    full: bool,
}

impl Output for Collect<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        if self.inspected.signals.len() >= self.extent.signals {
            self.inspected.left_out += 1;
            self.open = None;
            return Ok(());
        }
        let most = self.extent.seconds * f64::from(header.rate) / f64::from(header.hop);
        let planes = vec![Vec::new(); usize::from(header.channels)];
        self.open = Some((header.clone(), planes, (most as usize).max(1)));
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        let Some((header, planes, most)) = &mut self.open else { return Ok(()) };
        let room = most.saturating_sub(planes.first().map_or(0, Vec::len));
        for (channel, plane) in planes.iter_mut().enumerate() {
            plane.extend_from_slice(&block.channel(channel)[..room.min(block.frames())]);
        }
        if room >= block.frames() {
            return Ok(());
        }
        self.inspected.shortened = true;
        // Of a recording that goes on for hours nothing more is needed, and there is no other signal.
        if header.frames.is_none() {
            self.full = true;
            self.finish();
            return Err(Stop::Cancelled);
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        self.finish();
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

impl Collect<'_> {
    fn finish(&mut self) {
        if let Some((header, planes, _)) = self.open.take() {
            let channels = planes.len();
            self.inspected.signals.push((header, Block::planar(channels, planes.concat())));
        }
    }
}
