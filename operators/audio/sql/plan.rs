//! From a query to a plan: only reading, only what gives the same again, always in the same order.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, Result, TableReference};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, Volatility};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::ParserError;

use super::files::plain;
use super::table::FileTable;

/// What sorting, grouping and joining may hold before it goes to files. It does not follow `--memory`,
/// so that no result can depend on that.
const MEMORY: usize = 256 << 20;

/// The column by which rows are ordered where the query does not say.
const ITEM: &str = "item";

/// A query that can be run.
pub struct Planned {
    pub plan: Arc<dyn ExecutionPlan>,
    pub context: Arc<TaskContext>,
    /// The columns of the result.
    pub schema: SchemaRef,
    /// The names of the tables that it reads.
    pub reads: BTreeSet<String>,
}

/// Plans a query on tables. What does not fit in memory goes to `spill`.
///
/// Errors: in words for the one who wrote the query, with the place in it where that is known.
pub async fn plan(
    query: &str,
    tables: Vec<(String, FileTable)>,
    spill: Option<&Path>,
) -> std::result::Result<Planned, String> {
    let names: Vec<String> = tables.iter().map(|(name, _)| format!("`{name}`")).collect();
    planned(query, tables, spill).await.map_err(|error| describe(&error, &names))
}

async fn planned(query: &str, tables: Vec<(String, FileTable)>, spill: Option<&Path>) -> Result<Planned> {
    let context = session(spill)?;
    for (name, table) in tables {
        context.register_table(TableReference::bare(name), Arc::new(table))?;
    }
    let state = context.state();
    let plan = ordered(checked(&state, query).await?)?;
    let mut reads = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            reads.insert(scan.table_name.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let plan = state.create_physical_plan(&plan).await?;
    let schema = plain(&plan.schema());
    let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|names| names[0] == names[1]) {
        return refuse(format!("two columns of the result are named `{}`: name one with `AS`", twice[0]));
    }
    Ok(Planned { plan, context: context.task_ctx(), schema, reads })
}

fn refuse<T>(message: String) -> Result<T> {
    Err(DataFusionError::Plan(message))
}

fn session(spill: Option<&Path>) -> Result<SessionContext> {
    // One partition: the order in which rows meet is that of the files.
    let mut config = SessionConfig::new().with_target_partitions(1);
    // Less is not enough to merge what was sorted.
    config.options_mut().execution.sort_spill_reservation_bytes = MEMORY / 4;
    let parser = &mut config.options_mut().sql_parser;
    // Names are as they are written.
    parser.enable_ident_normalization = false;
    parser.map_string_types_to_utf8view = false;
    parser.collect_spans = true;
    let disk = match spill {
        Some(folder) => DiskManagerMode::Directories(vec![folder.to_owned()]),
        None => DiskManagerMode::Disabled,
    };
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
        .build_arc()?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

/// The plan of one query that only reads and gives the same whenever it runs.
async fn checked(state: &SessionState, query: &str) -> Result<LogicalPlan> {
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(query, &dialect)?;
    let only = || "only a query is allowed: `SELECT …` or `WITH … SELECT …`".to_owned();
    match &statement {
        Statement::Statement(statement) if matches!(**statement, ast::Statement::Query(_)) => {}
        _ => return refuse(only()),
    }
    let plan = state.statement_to_plan(statement).await?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(&plan).or_else(|_| refuse(only()))?;
    plan.apply_with_subqueries(|node| node.apply_expressions(|expr| expr.apply(same_again)))?;
    Ok(plan)
}

fn same_again(expr: &Expr) -> Result<TreeNodeRecursion> {
    match expr {
        Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
            refuse(format!(
                "`{}()` gives something else each time, and a run has to give the same when it is repeated",
                call.func.name()
            ))
        }
        Expr::Placeholder(place) => refuse(format!("`{}` stands for no value here", place.id)),
        _ => Ok(TreeNodeRecursion::Continue),
    }
}

/// The plan with every order made complete: rows that are equal in what `ORDER BY` names are ordered by
/// the other columns, `LIMIT` takes the first rows of an order, and so is the result ordered.
fn ordered(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Sort(mut sort) => {
            let named: Vec<Column> =
                sort.expr.iter().filter_map(|key| key.expr.try_as_col().cloned()).collect();
            sort.expr.extend(
                keys(&sort.input)
                    .into_iter()
                    .filter(|(column, _)| !named.contains(column))
                    .map(|(_, key)| key),
            );
            Ok(Transformed::yes(LogicalPlan::Sort(sort)))
        }
        LogicalPlan::Limit(mut limit) if !has_order(&limit.input) => {
            limit.input = Arc::new(sort(limit.input.as_ref().clone())?);
            Ok(Transformed::yes(LogicalPlan::Limit(limit)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    if has_order(&plan.data) { Ok(plan.data) } else { sort(plan.data) }
}

/// Whether a plan's rows come in an order that the query asks for.
fn has_order(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(above) => has_order(&above.input),
        LogicalPlan::SubqueryAlias(above) => has_order(&above.input),
        LogicalPlan::Limit(above) => has_order(&above.input),
        _ => false,
    }
}

fn sort(plan: LogicalPlan) -> Result<LogicalPlan> {
    let keys: Vec<SortExpr> = keys(&plan).into_iter().map(|(_, key)| key).collect();
    if keys.is_empty() { Ok(plan) } else { LogicalPlanBuilder::from(plan).sort(keys)?.build() }
}

/// All columns that can be compared, `item` first.
fn keys(plan: &LogicalPlan) -> Vec<(Column, SortExpr)> {
    let schema = plan.schema();
    let mut columns: Vec<Column> = schema
        .iter()
        .filter(|(_, field)| !field.data_type().is_nested())
        .map(|(qualifier, field)| Column::new(qualifier.cloned(), field.name()))
        .collect();
    columns.sort_by_key(|column| column.name() != ITEM);
    columns
        .into_iter()
        .map(|column| (column.clone(), SortExpr::new(Expr::Column(column), true, false)))
        .collect()
}

/// An error in words for the one who wrote the query.
fn describe(error: &DataFusionError, tables: &[String]) -> String {
    let root = error.find_root();
    let mut text = match root {
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => "it is nested too deeply".into(),
        },
        other => other.message().into_owned(),
    };
    text = text
        .replace("datafusion.public.", "")
        .replace(" at Line: ", " at line ")
        .replace(", Column: ", ", column ");
    // What comes before says the same for each of the function's forms.
    if let Some(at) = text.find("No function matches") {
        text = text.split_off(at).replace('\t', "");
    }
    let lines = text.lines().filter(|line| !line.starts_with("Column names are case sensitive"));
    text = lines.collect::<Vec<_>>().join(" ").replace("?. ", "? ");
    if text.starts_with("table '") && text.ends_with("not found") {
        text += &format!("; there is {}", tables.join(", "));
    }
    match error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        Some(span) => format!("{text} (line {}, column {} of the query)", span.start.line, span.start.column),
        None => text,
    }
}
