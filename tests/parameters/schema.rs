//! The parameters that the schema lists.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::cases::{self, Case};
use crate::common::{etude, stdout};

/// Operators whose parameters are tested beside them: `operators/learning` and `operators/trainer`.
const LEARNING: [&str; 4] = ["train", "embed", "retrieve", "probe"];

/// What is tested elsewhere: the steps of a chain beside them, and that a process of its own changes nothing in
/// `tests/isolate.rs`.
const ELSEWHERE: [(&str, &str); 2] = [("augment", "chain"), ("decode", "isolate")];

/// A parameter that has no others within it.
#[derive(Debug)]
pub struct Leaf {
    operator: String,
    path: String,
    schema: Value,
}

impl Leaf {
    /// Whether a case is one of it. Places in lists do not matter.
    pub fn is(&self, case: &Case) -> bool {
        let names = case.parameter.split('.').filter(|name| name.parse::<usize>().is_err());
        self.operator == case.operator && self.path.split('.').eq(names)
    }

    /// Whether the operator takes it or what it is within in no case.
    fn is_never_taken(&self) -> bool {
        cases::NEVER.iter().any(|(operator, parameter, _)| {
            let rest = self.path.strip_prefix(parameter);
            self.operator == *operator && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// What its type and its bounds do not let through.
    pub fn refused(&self) -> Vec<String> {
        let mut refused = Vec::new();
        each_object(&self.schema, &mut |schema| {
            let (least, most) = (schema.get("minimum"), schema.get("maximum"));
            let is = |name: &str| match schema.get("type") {
                Some(Value::Array(types)) => types.iter().any(|own| own == name),
                own => own.is_some_and(|own| own == name),
            };
            if is("integer") {
                refused.extend(least.and_then(Value::as_i64).map(|least| (least - 1).to_string()));
                refused.extend(most.and_then(Value::as_i64).map(|most| (most + 1).to_string()));
                refused.push("1.5".into());
            }
            if is("number") {
                refused
                    .extend(least.and_then(Value::as_f64).map(|least| (least - beyond(least)).to_string()));
                refused.extend(most.and_then(Value::as_f64).map(|most| (most + beyond(most)).to_string()));
                refused.extend(schema.get("exclusiveMinimum").map(Value::to_string));
                refused.extend([".nan", ".inf", "-.inf"].map(str::to_owned));
            }
            if is("boolean") || schema.contains_key("enum") || schema.contains_key("const") {
                refused.push("nonsense".into());
            }
        });
        refused.dedup();
        refused
    }
}

/// How far from a bound a number is that is beyond it.
fn beyond(bound: f64) -> f64 {
    0.001 * (1.0 + bound.abs())
}

/// All parameters of the audio operators without those within them.
pub fn leaves(folder: &Path) -> Vec<Leaf> {
    let schema = stdout(&etude(folder).arg("schema").output().unwrap());
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let operators = &schema["properties"]["stages"]["additionalProperties"]["allOf"];
    let mut leaves = Vec::new();
    for operator in operators.as_array().unwrap() {
        let name = operator["if"]["properties"]["op"]["const"].as_str().unwrap();
        let mut found = BTreeMap::new();
        properties(&operator["then"], "", &mut found);
        found.retain(|path, _| {
            let first = path.split('.').next().unwrap();
            !LEARNING.contains(&name)
                && !["op", "from"].contains(&first)
                && !ELSEWHERE.contains(&(name, first))
        });
        let paths: Vec<String> = found.keys().cloned().collect();
        found.retain(|path, _| !paths.iter().any(|other| other.starts_with(&format!("{path}."))));
        let leaf = |(path, schema)| Leaf { operator: name.to_owned(), path, schema };
        leaves.extend(found.into_iter().map(leaf).filter(|leaf| !leaf.is_never_taken()));
    }
    assert!(leaves.len() > 150, "{}", leaves.len());
    leaves
}

/// All properties below one, whatever alternatives they stand in.
fn properties(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match schema {
        Value::Array(list) => list.iter().for_each(|schema| properties(schema, path, found)),
        Value::Object(map) => map
            .iter()
            .filter(|(name, _)| !["default", "$defs"].contains(&name.as_str()))
            .for_each(|(name, schema)| match (name.as_str(), schema.as_object()) {
                ("properties", Some(map)) => map.iter().for_each(|(name, schema)| {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    properties(schema, &path, found);
                    found.insert(path, schema.clone());
                }),
                _ => properties(schema, path, found),
            }),
        _ => {}
    }
}

/// All objects of a schema that are no list's elements.
fn each_object(schema: &Value, see: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match schema {
        Value::Array(list) => list.iter().for_each(|schema| each_object(schema, see)),
        Value::Object(map) => {
            see(map);
            let inner = map.iter().filter(|(name, _)| ["anyOf", "oneOf"].contains(&name.as_str()));
            inner.for_each(|(_, schema)| each_object(schema, see));
        }
        _ => {}
    }
}
