//! How well a linear classifier on frozen vectors tells a label.

mod folds;
mod labels;
mod lbfgs;
mod logistic;
mod matching;
mod samples;
mod scale;
mod scores;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use etude_pipeline::Error;
use etude_pipeline::event::{Event, Reporter};
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, ChainReport, Dataset, DatasetInput, DatasetJob, Declare, Inputs, Invalid, Operator, Port, Scope,
};
use parquet::arrow::ArrowWriter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use labels::{Columns, Labels};
use matching::{Known, Message};
use samples::Samples;
use scores::Scores;

/// How well a linear classifier on the vectors tells the class that a table of labels gives each item.
///
/// Items fall into `folds` parts, as equal in size and in their share of each class as `group` allows
/// (stratified group k-fold). Each part is classified by a multinomial logistic regression that was
/// fitted to the others, whose values are brought to mean 0 and deviation 1 there first. The items of
/// all tables in `from` are divided once, by the seed alone, so that tables, and stages with the same
/// items, are compared on the same parts.
///
/// For each table: the classes and items, the share of items whose class is told (`accuracy`), the mean
/// of that share over classes (`balanced_accuracy`), the mean F1 of the classes (`macro_f1`), the share
/// of the largest class, which is chance (`majority`), and the standard deviation of the parts'
/// accuracies (`deviation`). Items without a label and labels without an item are left out; the run
/// says how many.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// A CSV file with a header, or a Parquet file, with a row for each item that has a label. The table
    /// has to fit in memory. A relative path is below the working directory.
    #[schemars(extend("x-kind" = "input"))]
    labels: String,
    /// The column of `labels` that names the item: its key, as in the shards.
    #[serde(default = "default_item")]
    item: String,
    /// The column of `labels` with the class: text, integers, or true and false. An item whose class is
    /// empty has no label.
    target: String,
    /// A column of `labels`, such as the artist: items of a group are never parted by a fold. By default
    /// each item is a group of its own.
    #[serde(default)]
    group: Option<String>,
    /// Parts into which the items fall, 2 to 20.
    #[serde(default = "default_folds")]
    #[schemars(range(min = 2, max = 20))]
    folds: usize,
    /// How strongly large weights are punished: half of this times the sum of their squares is added to
    /// the sum of the cross-entropies (1 / `C` of scikit-learn); above 0 and at most 1000000.
    #[serde(default = "default_weight_decay")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1_000_000))]
    weight_decay: f64,
    /// What is learnt from and classified.
    #[serde(default)]
    unit: Unit,
}

/// What is learnt from and classified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Each item, by the mean of its clips' vectors.
    #[default]
    Item,
    /// Each clip; an item's class is that of its clips' mean probability.
    Clip,
}

fn default_item() -> String {
    "item".into()
}

fn default_folds() -> usize {
    5
}

fn default_weight_decay() -> f64 {
    1.0
}

impl Declare for Probe {
    const NAME: &'static str = "probe";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: true, optional: false, about: "tables of vectors to be compared" }];
    const REPORT: bool = true;
}

fn schema() -> SchemaRef {
    let number = |name: &str| Field::new(name, DataType::Float64, false);
    Arc::new(Schema::new(vec![
        Field::new("vectors", DataType::Utf8, false),
        Field::new("classes", DataType::Int64, false),
        Field::new("items", DataType::Int64, false),
        number("accuracy"),
        number("balanced_accuracy"),
        number("macro_f1"),
        number("majority"),
        number("deviation"),
    ]))
}

impl Operator for Probe {
    fn check(&self) -> Result<(), Invalid> {
        let named = [
            ("labels", Some(&self.labels)),
            ("item", Some(&self.item)),
            ("target", Some(&self.target)),
            ("group", self.group.as_ref()),
        ];
        for (parameter, value) in named {
            Invalid::unless(value.is_none_or(|value| !value.is_empty()), parameter, "is empty")?;
        }
        Invalid::unless(self.target != self.item, "target", "must be another column than `item`")?;
        let apart = self.group.as_ref() != Some(&self.target);
        Invalid::unless(apart, "group", "must be another column than `target`")?;
        Invalid::unless((2..=20).contains(&self.folds), "folds", "must be from 2 to 20")?;
        let right = self.weight_decay > 0.0 && self.weight_decay <= 1e6;
        Invalid::unless(right, "weight_decay", "must be more than 0 and at most 1000000")?;
        // Whether the file is there is found when it is needed, as with other files.
        if Path::new(&self.labels).is_file() { self.read().map(drop) } else { Ok(()) }
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        crate::tables_of_vectors(inputs)?;
        Ok(Flow::Table(schema()))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Probe {
    fn read(&self) -> Result<Labels, Invalid> {
        let columns = Columns { item: &self.item, target: &self.target, group: self.group.as_deref() };
        Labels::read(Path::new(&self.labels), &columns)
    }
}

/// A table of vectors that is an input: the name of its stage and its files.
struct Table<'a> {
    stage: &'a str,
    files: &'a [PathBuf],
}

impl Dataset for Probe {
    fn run(
        &self,
        job: &DatasetJob,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let wrong = |message: String| Error::stage(&job.stage, message);
        let say = |message: Option<Message>| {
            if let Some(Message { text, values }) = message {
                reporter(Event::Message { stage: job.stage.clone(), text, values });
            }
        };
        let labels = self.read();
        let labels =
            labels.map_err(|Invalid { parameter, message }| wrong(format!("`{parameter}` {message}")))?;
        let mut tables = Vec::new();
        let mut present = BTreeSet::new();
        for input in job.inputs("from") {
            let DatasetInput::Table { stage, files } = input else {
                return Err(wrong("expects tables of vectors".into()));
            };
            let names = samples::names(stage, files)?;
            say(matching::compare(stage, &names, &labels).map_err(wrong)?);
            present.extend(names);
            tables.push(Table { stage, files });
        }
        let divided = matching::divide(&labels, &present, self.folds, job.seed).map_err(wrong)?;
        say(divided.warning);
        let mut rows = Vec::new();
        for table in &tables {
            let (scores, message) = self.score(table, &divided.known, job, cancel)?;
            say(message);
            rows.push((table.stage, scores));
        }
        write(&rows, &job.output.join("scores.parquet"))?;
        Ok(ChainReport::default())
    }
}

impl Probe {
    /// The scores of one table, and what there is to be said of them.
    fn score(
        &self,
        table: &Table<'_>,
        known: &BTreeMap<&str, Known>,
        job: &DatasetJob,
        cancel: &CancellationToken,
    ) -> Result<(Scores, Option<Message>), Error> {
        let samples = Samples::read(table.stage, table.files, known, self.unit)?;
        let validated = validate::validate(&samples, self.folds, self.weight_decay, job.threads, cancel)?;
        let validated = validated.ok_or_else(|| {
            let message =
                "its items with a label are of one class, or all in one fold: there is nothing to learn";
            Error::stage(&job.stage, format!("`{}`: {message}", table.stage))
        })?;
        let message = (validated.unfinished > 0).then(|| Message {
            text: format!(
                "`{}`: {} of {} classifiers did not converge; a larger `weight_decay` helps",
                table.stage, validated.unfinished, self.folds
            ),
            values: BTreeMap::from([("unfinished".to_owned(), validated.unfinished as f64)]),
        });
        Ok((Scores::of(&validated.outcomes), message))
    }
}

/// Writes the table of scores, a row a table of vectors.
fn write(rows: &[(&str, Scores)], path: &Path) -> Result<(), Error> {
    let whole = |of: fn(&Scores) -> usize| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, scores)| of(scores) as i64)))
    };
    let number = |of: fn(&Scores) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, scores)| of(scores))))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(stage, _)| stage))),
        whole(|scores| scores.classes),
        whole(|scores| scores.items),
        number(|scores| scores.accuracy),
        number(|scores| scores.balanced_accuracy),
        number(|scores| scores.macro_f1),
        number(|scores| scores.majority),
        number(|scores| scores.deviation),
    ];
    let file = File::create(path).map_err(Error::io(path))?;
    let mut writer = ArrowWriter::try_new(file, schema(), None)?;
    writer.write(&RecordBatch::try_new(schema(), columns)?)?;
    writer.close()?;
    Ok(())
}
