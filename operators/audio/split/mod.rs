//! Divides items into parts, such as for training and testing.

mod assign;
mod balance;
mod items;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use etude_pipeline::Error;
use etude_pipeline::event::{Event, Reporter};
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, ChainReport, Dataset, DatasetInput, DatasetJob, Declare, Inputs, Invalid, Operator, Port, Scope,
};
use etude_pipeline::random::Random;
use etude_pipeline::suggest::nearest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use assign::{Group, assign, reluctance};
use items::{Items, Kind};
use table::Table;

/// Divides the items of a table into parts, such as for training and testing: the table with a column `split`.
///
/// Items are told apart by the column `item`. One with several rows counts once, and all its rows are in one part. Two
/// items with the same value of `group`, such as the artist, never come into different parts; where it is null, or no
/// column is named, an item is a group of its own. With `stratify` the shares hold within each value of that column as
/// well, as far as groups allow it; null is a value too, and values of too few items to give the smallest part one
/// are taken together.
///
/// Shares are of items. No group could go to another part, nor could two of the 1000 largest groups change places, that
/// they would come nearer to what `parts` asks for: to the shares of all items, and half as much to those within strata.
/// Where a group is larger than a part, or there are few, they may be far from it; the run tells what they are.
///
/// The parts depend on the seed, the stage's name and what the rows say, never on the order of rows. Where each group
/// wants to go is drawn by its name, and only as many go elsewhere as the shares need. So items that are added or taken
/// away move few of the others: one more moves about one in a hundred of 10000 items with strata, hardly any without,
/// and a few in a hundred where there are groups of many sizes. None is promised to stay.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The names of the parts and the share of each, above 0 and together 1 (within 10⁻⁶), such as
    /// `{train: 0.8, valid: 0.1, test: 0.1}`. There are 1 to 100 of them.
    parts: BTreeMap<String, f64>,
    /// A column whose values are never divided between parts. Its values are compared as text.
    #[serde(default)]
    group: Option<String>,
    /// A column whose values are spread evenly over the parts. Its values are compared as text.
    #[serde(default)]
    stratify: Option<String>,
}

/// The column that names an item, and the one that is added.
const ITEM: &str = "item";
const SPLIT: &str = "split";

/// How far the sum of shares may be from 1.
const ROUNDING: f64 = 1e-6;

impl Declare for Split {
    const NAME: &'static str = "split";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: false, optional: false, about: "a table with a column `item`" }];
}

impl Split {
    /// The columns that decide, with the parameters that name them.
    fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = [("group", &self.group), ("stratify", &self.stratify)];
        named.into_iter().filter_map(|(parameter, column)| Some((parameter, column.as_deref()?)))
    }

    /// The table with its new column, or what is wrong with it.
    fn schema(&self, input: &Schema) -> Result<SchemaRef, Invalid> {
        let item = input.column_with_name(ITEM).map(|(_, field)| field.data_type());
        if !matches!(item, Some(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)) {
            return Err("expects a table with a column `item` of names".into());
        }
        if input.column_with_name(SPLIT).is_some() {
            return Err("the table has a column `split` already".into());
        }
        for (parameter, name) in self.named() {
            let Some((_, field)) = input.column_with_name(name) else {
                let names: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
                let help = match nearest(name, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", names.join(", ")),
                };
                return Err(Invalid::of(
                    parameter,
                    format!("there is no column `{name}` in the table; {help}"),
                ));
            };
            if field.data_type().is_nested() {
                return Err(Invalid::of(parameter, format!("column `{name}` has more than one value a row")));
            }
        }
        let mut fields = input.fields().to_vec();
        fields.push(Arc::new(Field::new(SPLIT, DataType::Utf8, false)));
        Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
    }
}

impl Operator for Split {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=100).contains(&self.parts.len()), "parts", "must be from 1 to 100")?;
        Invalid::unless(!self.parts.contains_key(""), "parts", "has one without a name")?;
        for (name, share) in &self.parts {
            let right = *share > 0.0 && *share <= 1.0;
            Invalid::unless(right, &format!("parts.{name}"), "must be above 0 and at most 1")?;
        }
        let sum: f64 = self.parts.values().sum();
        Invalid::unless((sum - 1.0).abs() <= ROUNDING, "parts", format!("must add up to 1, not {sum}"))?;
        for (parameter, column) in self.named() {
            Invalid::unless(!column.is_empty(), parameter, "is empty")?;
            Invalid::unless(column != SPLIT, parameter, "must be another column than `split`")?;
        }
        Invalid::unless(
            self.stratify.as_deref() != Some(ITEM),
            "stratify",
            "must be another column than `item`",
        )?;
        let apart = self.stratify.is_none() || self.group != self.stratify;
        Invalid::unless(apart, "stratify", "must be another column than `group`")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        match inputs.one("from")? {
            Flow::Table(schema) => Ok(Flow::Table(self.schema(schema)?)),
            Flow::Items => Err("expects a table, not items: put `op: metadata` above it".into()),
            other => Err(format!("expects a table with a column `item`, not {other}").into()),
        }
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Dataset for Split {
    fn run(
        &self,
        job: &DatasetJob,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let wrong = |message: String| Error::stage(&job.stage, message);
        let DatasetInput::Table { files, .. } = job.input("from")? else {
            return Err(wrong("expects a table".into()));
        };
        let table = Table::open(files, cancel)?;
        let schema = self.schema(table.schema()).map_err(|invalid| wrong(invalid.message))?;
        let items = table.items(self.group.as_deref(), self.stratify.as_deref())?;
        if items.groups.len() < self.parts.len() {
            let (groups, parts) = (items.groups.len(), self.parts.len());
            let what = if self.group.is_some() { "groups" } else { "items" };
            return Err(wrong(format!("there are {groups} {what}, fewer than `parts`, {parts}")));
        }
        let parts = self.divide(&items, job.seed, &job.stage);
        reporter(self.told(&items, &parts, &job.stage));
        let names: Vec<&str> = self.parts.keys().map(String::as_str).collect();
        let part = |item: &str| items.group_of.get(item).map(|group| names[parts[*group]]);
        table.write(schema, part, &job.output.join("table.parquet"))?;
        Ok(ChainReport::default())
    }
}

impl Split {
    /// The part of each group.
    fn divide(&self, items: &Items, seed: u64, stage: &str) -> Vec<usize> {
        let shares: Vec<f64> = self.parts.values().copied().collect();
        let smallest = shares.iter().copied().fold(1.0, f64::min);
        let strata = items.strata((1.0 / smallest).ceil() as u64);
        let group = |((kind, name), strata): (&(Kind, String), Vec<(usize, u64)>)| {
            let draw = |(part, share): (&String, &f64)| {
                let key: [&[u8]; 6] = [
                    b"split",
                    &seed.to_le_bytes(),
                    stage.as_bytes(),
                    part.as_bytes(),
                    kind.key(),
                    name.as_bytes(),
                ];
                reluctance(Random::keyed(&key).uniform(), *share)
            };
            Group { strata, reluctance: self.parts.iter().map(draw).collect() }
        };
        let groups: Vec<Group> = items.groups.iter().zip(strata).map(group).collect();
        assign(&groups, &shares)
    }

    /// What the shares have become.
    fn told(&self, items: &Items, parts: &[usize], stage: &str) -> Event {
        let mut counts = vec![0u64; self.parts.len()];
        items.group_of.values().for_each(|group| counts[parts[*group]] += 1);
        let all = items.group_of.len().max(1) as f64;
        let share = |count: &u64| *count as f64 / all;
        let text = self
            .parts
            .keys()
            .zip(&counts)
            .map(|(name, count)| format!("{name} {count} items ({:.2} %)", 100.0 * share(count)));
        let text = text.collect::<Vec<_>>().join(", ");
        let values = self.parts.keys().cloned().zip(counts.iter().map(share)).collect();
        Event::Message { stage: stage.to_owned(), text, values }
    }
}
