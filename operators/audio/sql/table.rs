//! Files as a table of DataFusion's: read batch by batch when a query runs, only the columns that it needs.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use etude_pipeline::Error;
use tokio_util::sync::CancellationToken;

use super::files;

/// The rows of files, one after another.
#[derive(Debug, Clone)]
pub struct FileTable {
    schema: SchemaRef,
    files: Vec<PathBuf>,
    cancel: CancellationToken,
}

impl FileTable {
    /// A table that has columns but no rows yet.
    pub fn empty(schema: SchemaRef) -> Self {
        Self { schema: files::plain(&schema), files: Vec::new(), cancel: CancellationToken::new() }
    }

    /// The rows of files with the same columns.
    ///
    /// Errors: a file that cannot be read, or that has other columns than the first.
    pub fn of(files: &[PathBuf], cancel: &CancellationToken) -> std::result::Result<Self, Error> {
        let mut schema: Option<SchemaRef> = None;
        for path in files {
            let found = files::schema(path)?;
            if schema.as_ref().is_some_and(|schema| *schema != found) {
                return Err(Error::Other(format!(
                    "{}: has other columns than the files before it",
                    path.display()
                )));
            }
            schema = Some(found);
        }
        let schema = schema.ok_or_else(|| Error::Other("a table has no files".into()))?;
        Ok(Self { schema, files: files.to_vec(), cancel: cancel.clone() })
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let rows: Arc<dyn PartitionStream> = Arc::new(Self { schema: schema.clone(), ..self.clone() });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![rows], None, [], false, limit)?))
    }
}

impl PartitionStream for FileTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, schema) = (self.clone(), self.schema.clone());
        let batches = table.files.clone().into_iter().flat_map(move |path| {
            let batches = files::batches(&path, &table.schema);
            let cancel = table.cancel.clone();
            let batches = batches.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
            batches.map(move |batch| -> Result<RecordBatch> {
                if cancel.is_cancelled() {
                    Err(Error::Cancelled.into())
                } else {
                    batch.map_err(DataFusionError::from)
                }
            })
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches)))
    }
}
