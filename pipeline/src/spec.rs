//! A pipeline file, read and checked: the graph of its stages.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::error::Error;
use crate::flow::Flow;
use crate::operator::{Body, Declaration, Inputs, Link, Names, Operator, Table};
use crate::runtime::Runtime;
use crate::yaml::{self, Files, Node, Problem, Span, Value, Variables};

/// The keys of a pipeline file.
const KEYS: [&str; 6] = ["include", "name", "seed", "vars", "runtime", "stages"];

/// A pipeline.
#[derive(Debug)]
pub struct Pipeline {
    pub name: String,
    pub seed: u64,
    /// In the order of the file.
    pub stages: Vec<Stage>,
    /// The stages' indices, each after those it reads.
    pub order: Vec<usize>,
    /// What must not change results; the command line says more.
    pub runtime: Runtime,
    files: Files,
}

/// A stage.
#[derive(Debug)]
pub struct Stage {
    pub name: String,
    pub declaration: &'static Declaration,
    pub operator: Box<dyn Operator>,
    /// The stages that it reads, by port.
    pub inputs: Vec<(&'static str, Vec<usize>)>,
    /// The schema of what it gives.
    pub flow: Flow,
    /// What a table above says of each item: columns that every row of the item carries.
    pub columns: Option<SchemaRef>,
    span: Span,
    places: HashMap<String, Span>,
}

impl Stage {
    /// The effective parameters.
    pub fn parameters(&self) -> Json {
        self.operator.parameters()
    }

    /// The serialised form.
    pub fn link(&self) -> Link {
        Link {
            stage: self.name.clone(),
            operator: self.declaration.name.to_owned(),
            version: self.declaration.version,
            parameters: self.parameters(),
            sides: Vec::new(),
        }
    }

    /// The stages that an item operator reads besides its main input, with their ports.
    pub fn sides(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        let ports = self.inputs.iter().skip(1);
        ports.flat_map(|(port, reads)| reads.iter().map(|read| (*port, *read)))
    }

    /// All stages that it reads.
    pub fn reads(&self) -> impl Iterator<Item = usize> + '_ {
        self.inputs.iter().flat_map(|(_, stages)| stages.iter().copied())
    }

    /// The stage at the main port.
    pub fn main(&self) -> Option<usize> {
        self.inputs.first().and_then(|(_, stages)| stages.first().copied())
    }

    /// Whether what it gives is kept.
    pub fn materialises(&self) -> bool {
        matches!(self.operator.body(), Body::Sink(_) | Body::Tabulate(_) | Body::Dataset(_))
    }

    /// Whether it reads or changes signals, item after item.
    pub fn streams(&self) -> bool {
        matches!(self.operator.body(), Body::Read(_) | Body::Map(_))
    }

    /// Whether it opens items.
    fn opens_items(&self) -> bool {
        matches!(self.operator.body(), Body::Read(_) | Body::Tabulate(_))
    }
}

impl Pipeline {
    /// Reads and checks a pipeline file. `settings` are values of variables that replace the file's.
    ///
    /// Errors: all that is wrong, each with its place.
    pub fn parse(
        file: &str,
        text: &str,
        settings: &[(String, String)],
        table: &Table,
    ) -> Result<Self, Error> {
        let mut files = Files::default();
        let root = yaml::load(file, text, &mut files).map_err(|problem| vec![problem]);
        let read = root.and_then(|root| read(root, settings, table));
        let mut pipeline = read.map_err(|problems| {
            Error::Pipeline(problems.into_iter().map(|problem| Diagnostic::new(&files, problem)).collect())
        })?;
        pipeline.files = files;
        if pipeline.name.is_empty() {
            let stem = std::path::Path::new(file).file_stem().and_then(|stem| stem.to_str());
            pipeline.name = stem.unwrap_or("pipeline").to_owned();
        }
        Ok(pipeline)
    }

    /// The index of a stage by name.
    pub fn find(&self, name: &str) -> Result<usize, Error> {
        self.stages.iter().position(|stage| stage.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
            let problem = yaml::unknown("stage", name, &names);
            Error::Other(format!("{}; {}", problem.message, problem.help.unwrap_or_default()))
        })
    }

    /// The scans that a stage reads, directly or through others.
    pub fn scans(&self, stage: usize) -> Vec<usize> {
        let (mut scans, mut open, mut seen) = (Vec::new(), vec![stage], vec![false; self.stages.len()]);
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            if matches!(self.stages[at].operator.body(), Body::Scan(_)) {
                scans.push(at);
            }
            open.extend(self.stages[at].reads());
        }
        scans.sort_unstable();
        scans
    }

    /// An error that points at a parameter of a stage, found when it was used.
    pub fn error_at(&self, stage: usize, parameter: &str, message: String) -> Error {
        let stage = &self.stages[stage];
        let span = place(&stage.places, parameter).unwrap_or(stage.span);
        Error::Pipeline(vec![Diagnostic::new(&self.files, Problem::at(span, message))])
    }
}

/// The place of a parameter, or of the one that it is nested in; none for the stage itself.
fn place(places: &HashMap<String, Span>, parameter: &str) -> Option<Span> {
    let mut path = parameter;
    loop {
        if let Some(span) = places.get(path) {
            return Some(*span);
        }
        path = &path[..path.rfind('.')?];
    }
}

fn read(root: Node, settings: &[(String, String)], table: &Table) -> Result<Pipeline, Vec<Problem>> {
    let one = |problem: Problem| vec![problem];
    if !matches!(root.value, Value::Mapping(_)) {
        return Err(one(Problem::at(root.span, format!("a pipeline is a mapping, this is {}", root.kind()))));
    }
    for (key, _) in root.entries() {
        if !KEYS.contains(&key.text.as_str()) {
            let mut problem = yaml::unknown("key", &key.text, &KEYS);
            problem.span = Some(key.span);
            return Err(one(problem));
        }
    }
    let variables = variables(&root, settings).map_err(one)?;
    let scalar = |key: &str| -> Result<Option<Node>, Vec<Problem>> {
        let Some(node) = root.get(key) else { return Ok(None) };
        let mut node = node.clone();
        yaml::interpolate(&mut node, &variables).map_err(one)?;
        Ok(Some(node))
    };
    let name = scalar("name")?.map(|node| yaml::from_node::<String>(&node)).transpose().map_err(one)?;
    let seed = scalar("seed")?.map(|node| yaml::from_node::<u64>(&node)).transpose().map_err(one)?;
    let runtime =
        scalar("runtime")?.map(|node| yaml::from_node::<Runtime>(&node)).transpose().map_err(one)?;
    let Some(stages) = root.get("stages").filter(|node| !node.entries().is_empty()) else {
        let span = root.get("stages").map_or(root.span, |node| node.span);
        return Err(one(Problem::at(span, "a pipeline needs `stages:`, a mapping of names to operators")));
    };
    let names: Vec<&str> = stages.entries().iter().map(|(key, _)| key.text.as_str()).collect();
    let mut problems = Vec::new();
    let mut read = Vec::new();
    for (index, (key, node)) in stages.entries().iter().enumerate() {
        let mut node = node.clone();
        let stage = yaml::interpolate(&mut node, &variables)
            .and_then(|()| read_stage(&key.text, key.span, &node, index, &names, table));
        match stage {
            Ok(stage) => read.push(stage),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let order = order(&read).map_err(one)?;
    let mut pipeline = Pipeline {
        name: name.unwrap_or_default(),
        seed: seed.unwrap_or(0),
        stages: read,
        order,
        runtime: runtime.unwrap_or_default(),
        files: Files::default(),
    };
    check_flows(&mut pipeline).map_err(one)?;
    Ok(pipeline)
}

fn variables(root: &Node, settings: &[(String, String)]) -> Result<Variables, Problem> {
    let mut declared = Variables::default();
    if let Some(vars) = root.get("vars") {
        if !matches!(vars.value, Value::Mapping(_)) {
            return Err(Problem::at(vars.span, format!("`vars` is a mapping, this is {}", vars.kind())));
        }
        for (key, node) in vars.entries() {
            let setting = settings.iter().rev().find(|(name, _)| *name == key.text);
            let mut node = setting.map_or_else(|| node.clone(), |(_, text)| Node::plain(text));
            if setting.is_none() {
                yaml::interpolate(&mut node, &declared)?;
            }
            declared.set(&key.text, node);
        }
    }
    for (name, _) in settings {
        if declared.get(name).is_none() {
            let mut problem = yaml::unknown("variable", name, &declared.names());
            problem.message = format!("--set {name}: {}", problem.message);
            problem.span = root.get("vars").map(|vars| vars.span);
            return Err(problem);
        }
    }
    Ok(declared)
}

fn read_stage(
    name: &str,
    span: Span,
    node: &Node,
    index: usize,
    names: &[&str],
    table: &Table,
) -> Result<Stage, Problem> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        return Err(Problem::at(span, format!("stage name `{name}`: letters, digits, `_` and `-` only")));
    }
    if !matches!(node.value, Value::Mapping(_)) {
        return Err(Problem::at(
            node.span,
            format!("a stage is a mapping with `op:`, this is {}", node.kind()),
        ));
    }
    let op = node.get("op").ok_or_else(|| Problem::at(span, format!("stage `{name}` needs `op:`")))?;
    let op_name: String = yaml::from_node(op)?;
    let declaration = table.get(&op_name).ok_or_else(|| {
        let mut problem = yaml::unknown("operator", &op_name, &table.names());
        problem.span = Some(op.span);
        problem
    })?;

    let mut inputs = Vec::new();
    for (position, port) in declaration.ports.iter().enumerate() {
        let stages = match node.get(port.name) {
            Some(reference) => references(reference, port.many, names)?,
            None if port.optional => continue,
            None if position > 0 => {
                return Err(Problem::at(
                    op.span,
                    format!("{op_name} needs `{}:`, {}", port.name, port.about),
                ));
            }
            None if index == 0 => {
                return Err(Problem::at(op.span, format!("{op_name} has no stage above it to read"))
                    .help("begin with a source such as scan, or name a stage with `from:`"));
            }
            None => vec![index - 1],
        };
        inputs.push((port.name, stages));
    }

    let own = |key: &str| key != "op" && !declaration.ports.iter().any(|port| port.name == key);
    let entries: Vec<_> = node.entries().iter().filter(|(key, _)| own(&key.text)).cloned().collect();
    let mut places = HashMap::new();
    collect_places("", node.entries(), &mut places);
    let parameters = Node { span: op.span, value: Value::Mapping(entries) };
    let operator = declaration.parse(&parameters).map_err(|mut problem| {
        if declaration.ports.is_empty() && problem.message.contains("`from`") {
            problem.help = Some(format!("{op_name} is a source: it reads no stage"));
        }
        let own = places.iter().filter(|(path, span)| *path != "op" && Some(**span) == problem.span);
        let own = own.map(|(path, _)| path);
        let path = own.min_by_key(|path| path.len()).map_or("", String::as_str);
        problem.message = named(&op_name, path, &problem.message);
        problem
    })?;
    operator.check().map_err(|invalid| {
        let span = place(&places, &invalid.parameter).unwrap_or(op.span);
        let value =
            value_at(&operator.parameters(), &invalid.parameter).map(|value| format!(", found {value}"));
        let message =
            format!("{op_name}: `{}` {}{}", invalid.parameter, invalid.message, value.unwrap_or_default());
        Problem::at(span, message)
    })?;
    Ok(Stage {
        name: name.to_owned(),
        declaration,
        operator,
        inputs,
        flow: Flow::Items,
        columns: None,
        span: op.span,
        places,
    })
}

/// A message with the operator's name, and the parameter's unless it has that itself.
fn named(operator: &str, parameter: &str, message: &str) -> String {
    let name = parameter.rsplit('.').find(|name| name.parse::<usize>().is_err()).unwrap_or_default();
    let told = [format!("`{name}"), format!(".{name}`")].iter().any(|told| message.contains(told));
    match parameter.is_empty() || told {
        true => format!("{operator}: {message}"),
        false => format!("{operator}: `{parameter}`: {message}"),
    }
}

/// The effective value of a parameter, or of a nested one; lists and mappings are not shown.
fn value_at(parameters: &Json, parameter: &str) -> Option<String> {
    let value = parameter.split('.').try_fold(parameters, |value, name| match value {
        Json::Array(list) => list.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })?;
    let short = value.as_array().is_none_or(|list| list.len() <= 2 && list.iter().all(Json::is_number));
    (short && !value.is_object() && !value.is_null()).then(|| value.to_string())
}

fn collect_places(prefix: &str, entries: &[(yaml::Key, Node)], places: &mut HashMap<String, Span>) {
    for (key, node) in entries {
        let path = if prefix.is_empty() { key.text.clone() } else { format!("{prefix}.{}", key.text) };
        places.insert(path.clone(), node.span);
        collect_places(&path, node.entries(), places);
        if let Value::Sequence(nodes) = &node.value {
            for (index, node) in nodes.iter().enumerate() {
                let path = format!("{path}.{index}");
                places.insert(path.clone(), node.span);
                collect_places(&path, node.entries(), places);
            }
        }
    }
}

fn references(node: &Node, many: bool, names: &[&str]) -> Result<Vec<usize>, Problem> {
    let find = |node: &Node| -> Result<usize, Problem> {
        let name: String = yaml::from_node(node)?;
        names.iter().position(|known| *known == name).ok_or_else(|| {
            let mut problem = yaml::unknown("stage", &name, names);
            problem.span = Some(node.span);
            problem
        })
    };
    match &node.value {
        Value::Sequence(nodes) if many && !nodes.is_empty() => nodes.iter().map(find).collect(),
        Value::Sequence(_) if many => {
            Err(Problem::at(node.span, "expected the names of stages, found an empty list"))
        }
        Value::Sequence(_) => Err(Problem::at(node.span, "expected the name of one stage, found a list")),
        _ => Ok(vec![find(node)?]),
    }
}

/// Each stage after those that it reads; a cycle is an error.
fn order(stages: &[Stage]) -> Result<Vec<usize>, Problem> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    fn visit(
        at: usize,
        stages: &[Stage],
        state: &mut [State],
        path: &mut Vec<usize>,
        order: &mut Vec<usize>,
    ) -> Result<(), Problem> {
        if state[at] == State::Done {
            return Ok(());
        }
        if state[at] == State::Open {
            let begin = path.iter().position(|stage| *stage == at).unwrap_or(0);
            let mut names: Vec<&str> =
                path[begin..].iter().map(|stage| stages[*stage].name.as_str()).collect();
            names.push(&stages[at].name);
            return Err(Problem::at(
                stages[at].span,
                format!("the stages form a cycle: {}", names.join(" reads ")),
            ));
        }
        state[at] = State::Open;
        path.push(at);
        for read in stages[at].reads() {
            visit(read, stages, state, path, order)?;
        }
        path.pop();
        state[at] = State::Done;
        order.push(at);
        Ok(())
    }
    let mut state = vec![State::New; stages.len()];
    let mut order = Vec::with_capacity(stages.len());
    for at in 0..stages.len() {
        visit(at, stages, &mut state, &mut Vec::new(), &mut order)?;
    }
    Ok(order)
}

/// Computes what flows out of every stage; an operator fed with the wrong schema is an error.
fn check_flows(pipeline: &mut Pipeline) -> Result<(), Problem> {
    for &at in &pipeline.order {
        let stages = &pipeline.stages;
        // A table that lists items stands for these items.
        let items = stages[at].opens_items();
        let flow_of = |read: &usize| match &stages[*read].flow {
            Flow::Table(schema) if items && lists_items(schema) && !pipeline.scans(*read).is_empty() => {
                &Flow::Items
            }
            flow => flow,
        };
        let inputs = Inputs(
            stages[at]
                .inputs
                .iter()
                .map(|(port, reads)| (*port, reads.iter().map(flow_of).collect()))
                .collect(),
        );
        let name_of = |read: &usize| stages[*read].name.as_str();
        let names =
            stages[at].inputs.iter().map(|(port, reads)| (*port, reads.iter().map(name_of).collect()));
        let names = Names(names.collect());
        let flow = stages[at].operator.output_named(&inputs, &names).map_err(|invalid| {
            let stage = &stages[at];
            let reads: Vec<String> = stage
                .reads()
                .map(|read| format!("`{}` gives {}", stages[read].name, stages[read].flow))
                .collect();
            let span = place(&stage.places, &invalid.parameter).unwrap_or(stage.span);
            let message = named(stage.declaration.name, &invalid.parameter, &invalid.message);
            let problem = Problem::at(span, message);
            if reads.is_empty() || !invalid.parameter.is_empty() {
                problem
            } else {
                problem.help(reads.join(", "))
            }
        })?;
        let columns = columns(pipeline, at);
        if let (Some(columns), Body::Sink(sink)) = (&columns, stages[at].operator.body()) {
            let own = sink.schema(&flow);
            if let Some(field) = columns.fields().iter().find(|field| {
                own.column_with_name(field.name()).is_some()
                    || sink.reserved().contains(&field.name().as_str())
            }) {
                let name = field.name();
                let problem = Problem::at(
                    stages[at].span,
                    format!(
                        "{}: column `{name}` comes from a table above and is one that it writes itself",
                        stages[at].declaration.name
                    ),
                );
                return Err(
                    problem.help("leave it out of the table, or give it another name: `SELECT item, … AS …`")
                );
            }
        }
        pipeline.stages[at].columns = columns;
        pipeline.stages[at].flow = flow;
    }
    Ok(())
}

/// Whether a table's rows are items.
fn lists_items(schema: &Schema) -> bool {
    let text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    schema.column_with_name(ITEM).is_some_and(|(_, field)| text(field.data_type()))
}

/// The column that names an item.
pub const ITEM: &str = "item";

/// The columns that every row of an item carries where a stage stands.
fn columns(pipeline: &Pipeline, at: usize) -> Option<SchemaRef> {
    let stage = &pipeline.stages[at];
    let above = &pipeline.stages[stage.main()?];
    match (stage.operator.body(), &above.flow) {
        (Body::Read(_), Flow::Table(schema)) => {
            let fields: Vec<_> =
                schema.fields().iter().filter(|field| field.name() != ITEM).cloned().collect();
            (!fields.is_empty()).then(|| Arc::new(Schema::new(fields)))
        }
        (Body::Map(_) | Body::Sink(_), _) => above.columns.clone(),
        _ => None,
    }
}
