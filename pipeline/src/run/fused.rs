//! The plan node: everything between two materialised stages, a bucket a partition.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::Result;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use super::bucket::{Shared, compute};
use super::reuse::Task;
use crate::error::Error;
use crate::operator::Link;

/// Computes shards; gives a row for each.
pub struct FusedExec {
    /// Its serialised form: operators by name and parameters.
    links: Vec<Link>,
    tasks: Arc<Vec<Task>>,
    shared: Arc<Shared>,
    properties: Arc<PlanProperties>,
}

impl FusedExec {
    /// A node for these buckets.
    pub fn new(links: Vec<Link>, tasks: Vec<Task>, shared: Shared) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Self::rows()),
            Partitioning::UnknownPartitioning(tasks.len()),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { links, tasks: Arc::new(tasks), shared: Arc::new(shared), properties: Arc::new(properties) }
    }

    /// What all buckets share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The columns of its output.
    fn rows() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("path", DataType::Utf8, false),
            Field::new("digest", DataType::Utf8, false),
            Field::new("rows", DataType::UInt64, false),
        ]))
    }
}

impl fmt::Debug for FusedExec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FusedExec").field("links", &self.links).finish_non_exhaustive()
    }
}

impl DisplayAs for FusedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.links.iter().map(|link| link.operator.as_str()).collect();
        write!(formatter, "FusedExec: {}, buckets={}", names.join(" → "), self.tasks.len())
    }
}

impl ExecutionPlan for FusedExec {
    fn name(&self) -> &str {
        "FusedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (tasks, shared) = (self.tasks.clone(), self.shared.clone());
        let row = async move {
            let task = tasks
                .get(partition)
                .ok_or_else(|| Error::Other(format!("the plan has no partition {partition}")))?;
            let (digest, rows) = compute(task, &shared).await?;
            let batch = RecordBatch::try_new(
                Self::rows(),
                vec![
                    Arc::new(StringArray::from(vec![task.bucket.path.as_str()])),
                    Arc::new(StringArray::from(vec![digest])),
                    Arc::new(UInt64Array::from(vec![rows])),
                ],
            )?;
            Ok(batch)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(Self::rows(), futures::stream::once(row))))
    }
}
