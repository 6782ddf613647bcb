//! Filters, selects and joins tables.

mod csv;
mod files;
mod plan;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::physical_plan::execute_stream;
use etude_pipeline::Error;
use etude_pipeline::event::Reporter;
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, ChainReport, Dataset, DatasetInput, DatasetJob, Declare, Inputs, Invalid, Names, Operator, Port,
    Scope,
};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use plan::{Planned, plan};
use table::FileTable;

/// Filters, selects and joins tables with a query in SQL (DataFusion's), and keeps the result.
///
/// The tables of the stages named in `from` stand under the stages' names, files under their names
/// in `tables`. Names are as they are written, upper and lower case; one with a `-` stands in double
/// quotes. Only a query is allowed, without functions such as `now()` or `random()`. Where the query
/// has no `ORDER BY`, the rows are in the order of `item`, or else of all columns.
///
/// A result with a column `item`, one row an item, can be read by `decode`: it takes these items of
/// the scan above, and every other column becomes a column of the shards.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The query, such as `SELECT item, genre FROM tags JOIN labels USING (item) WHERE duration > 30`.
    query: String,
    /// Files to be joined: a name for each and its path, a relative one below the working directory.
    /// CSV, TSV (with a line of names), Parquet or JSON lines, told apart by their content.
    #[serde(default)]
    #[schemars(extend("x-kind" = "input"))]
    tables: BTreeMap<String, String>,
}

impl Declare for Sql {
    const NAME: &'static str = "sql";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: true, optional: false, about: "tables, each under its stage's name" }];
}

impl Sql {
    fn wrong(&self, name: &str, message: impl Into<String>) -> Invalid {
        Invalid::of(&format!("tables.{name}"), message)
    }

    /// The files of `tables`.
    fn files(&self, cancel: &CancellationToken) -> Result<Vec<(String, FileTable)>, Invalid> {
        let table = |(name, path): (&String, &String)| {
            let table = FileTable::of(&[Path::new(path).to_owned()], cancel);
            Ok((name.clone(), table.map_err(|error| self.wrong(name, error.to_string()))?))
        };
        self.tables.iter().map(table).collect()
    }
}

impl Operator for Sql {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.query.trim().is_empty(), "query", "is empty")?;
        Invalid::unless(!self.tables.contains_key(""), "tables", "has a file without a name")?;
        let blank = self.tables.iter().find(|(_, path)| path.is_empty());
        blank.map_or(Ok(()), |(name, _)| Err(self.wrong(name, "is empty")))
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        self.output_named(inputs, &Names::default())
    }

    fn output_named(&self, inputs: &Inputs<'_>, names: &Names<'_>) -> Result<Flow, Invalid> {
        let mut tables = self.files(&CancellationToken::new())?;
        for (flow, name) in inputs.many("from").iter().zip(names.many("from")) {
            match flow {
                Flow::Table(_) if self.tables.contains_key(*name) => {
                    return Err(self.wrong(name, format!("stage `{name}` is a table of that name as well")));
                }
                Flow::Table(schema) => tables.push(((*name).to_owned(), FileTable::empty(schema.clone()))),
                Flow::Items => {
                    let message =
                        format!("`{name}` gives items, not a table: put `op: metadata` between them");
                    return Err(Invalid::of("from", message));
                }
                other => return Err(Invalid::of("from", format!("expects tables; `{name}` gives {other}"))),
            }
        }
        // Planning reads nothing more: there is nothing to wait for.
        let planned = futures::executor::block_on(plan(&self.query, tables, None));
        let planned = planned.map_err(Invalid::by("query"))?;
        match self.tables.keys().find(|name| !planned.reads.contains(*name)) {
            Some(name) => Err(self.wrong(name, "is not read by the query: leave it out")),
            None => Ok(Flow::Table(planned.schema)),
        }
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Dataset for Sql {
    fn run(&self, job: &DatasetJob, _: &Reporter, cancel: &CancellationToken) -> Result<ChainReport, Error> {
        let wrong = |message: String| Error::stage(&job.stage, message);
        let mut tables = self.files(cancel).map_err(|invalid| wrong(invalid.message))?;
        for input in job.inputs("from") {
            let DatasetInput::Table { stage, files } = input else {
                return Err(wrong("expects tables".into()));
            };
            tables.push((stage.clone(), FileTable::of(files, cancel)?));
        }
        let spill = job.output.with_file_name("spill");
        std::fs::create_dir_all(&spill).map_err(Error::io(&spill))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| wrong(error.to_string()))?;
        let written = runtime.block_on(async {
            let planned = plan(&self.query, tables, Some(&spill)).await.map_err(wrong)?;
            let written = write(planned, &job.output.join("table.parquet"), cancel).await;
            written.map_err(|error| wrong(error.to_string()))
        });
        // Within a plan an error may come through several hands.
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        written?;
        Ok(ChainReport::default())
    }
}

/// Runs a query and keeps its rows.
async fn write(planned: Planned, path: &Path, cancel: &CancellationToken) -> Result<(), Error> {
    let file = File::create(path).map_err(Error::io(path))?;
    let properties = WriterProperties::builder().set_created_by("etude".into()).build();
    let mut writer = ArrowWriter::try_new(file, planned.schema.clone(), Some(properties))?;
    let mut batches = execute_stream(planned.plan, planned.context)?;
    while let Some(batch) = batches.next().await {
        if cancel.is_cancelled() {
            break;
        }
        writer.write(&files::conform(&batch?, &planned.schema)?)?;
    }
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests;
