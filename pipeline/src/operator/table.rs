//! The one table from which help, reference, JSON Schema, checks and serialised plans are derived.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::path::Path;
use tokio_util::sync::CancellationToken;

use super::{Declare, Invalid, Link, Operator, Port, Scope};
use crate::error::Error;
use crate::store::digest_file;
use crate::suggest::nearest;
use crate::yaml::{Node, Problem, from_node};

/// An operator's line in the table.
#[derive(Debug)]
pub struct Declaration {
    pub name: &'static str,
    pub version: u32,
    pub scope: Scope,
    pub ports: &'static [Port],
    pub report: bool,
    schema: fn() -> Value,
    from_yaml: fn(&Node) -> Result<Box<dyn Operator>, Problem>,
    from_json: fn(Value) -> serde_json::Result<Box<dyn Operator>>,
}

/// What a parameter is to the fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Part of it.
    Value,
    /// Where something is: no part of it.
    Location,
    /// A file that is read: its content's digest is.
    Input,
}

impl Declaration {
    /// The line of an operator.
    pub const fn of<T: Declare>() -> Self {
        Self {
            name: T::NAME,
            version: T::VERSION,
            scope: T::SCOPE,
            ports: T::PORTS,
            report: T::REPORT,
            schema: schema_of::<T>,
            from_yaml: |node| Ok(Box::new(from_node::<T>(node)?)),
            from_json: |value| Ok(Box::new(serde_json::from_value::<T>(value)?)),
        }
    }

    /// The operator with the parameters of a YAML mapping.
    pub fn parse(&self, node: &Node) -> Result<Box<dyn Operator>, Problem> {
        (self.from_yaml)(node)
    }

    /// The JSON Schema of the parameters, definitions inlined.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// What the operator does, from its doc comment.
    pub fn about(&self) -> String {
        self.schema().get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The parameters by name, each with its schema.
    pub fn properties(&self) -> Map<String, Value> {
        match self.schema().get_mut("properties").map(Value::take) {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        }
    }

    /// What a parameter is to the fingerprint: said beside its declaration.
    pub fn kind(&self, parameter: &str) -> Kind {
        match self.properties().get(parameter).and_then(|schema| schema.get("x-kind")).and_then(Value::as_str)
        {
            Some("location") => Kind::Location,
            Some("input") => Kind::Input,
            _ => Kind::Value,
        }
    }

    /// The effective parameters as the fingerprint sees them: without locations, and with the
    /// digest of an input in its place.
    pub fn values(&self, parameters: &Value) -> Result<Value, Invalid> {
        let mut values = Map::new();
        for (name, value) in parameters.as_object().into_iter().flatten() {
            let value = match (self.kind(name), value) {
                (Kind::Location, _) => continue,
                (Kind::Input, value) => contents(name, value)?,
                (_, value) => value.clone(),
            };
            values.insert(name.clone(), value);
        }
        Ok(Value::Object(values))
    }
}

/// The value of an input with the digest of its content in place of every file's name: it may name
/// one, a list of them, or one under each of several names.
fn contents(parameter: &str, value: &Value) -> Result<Value, Invalid> {
    Ok(match value {
        Value::String(path) => {
            let digest = digest_file(Path::new(path), &CancellationToken::new());
            let wrong = |error: Error| Invalid::of(parameter, error.to_string());
            json!({"blake3": digest.map_err(wrong)?})
        }
        Value::Array(list) => {
            let of = |(index, value)| contents(&format!("{parameter}.{index}"), value);
            Value::Array(list.iter().enumerate().map(of).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let of = |(name, value): (&String, &Value)| {
                Ok::<_, Invalid>((name.clone(), contents(&format!("{parameter}.{name}"), value)?))
            };
            Value::Object(map.iter().map(of).collect::<Result<_, Invalid>>()?)
        }
        other => other.clone(),
    })
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// A variable may stand for any value, and a choice without parameters may be just its name.
fn allow_variables(properties: &mut Value) {
    for schema in properties.as_object_mut().into_iter().flat_map(Map::values_mut) {
        loosen(schema);
    }
}

fn loosen(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties") {
        allow_variables(properties);
    }
    if let Some(items) = schema.get_mut("items").filter(|items| items.is_object()) {
        loosen(items);
    }
    let mut names = Vec::new();
    for choice in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        for (name, inner) in choice.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
        {
            if inner.get("required").is_none() {
                names.push(json!({"const": name}));
            }
            loosen(inner);
        }
    }
    if schema.get("const").is_some() || schema.get("type") == Some(&json!("string")) {
        return;
    }
    let mut whole = Map::new();
    if let Some(about) = schema.as_object_mut().and_then(|schema| schema.remove("description")) {
        whole.insert("description".into(), about);
    }
    let mut any = vec![schema.take(), json!({"type": "string", "pattern": VARIABLE})];
    any.extend(names);
    whole.insert("anyOf".into(), Value::Array(any));
    *schema = Value::Object(whole);
}

/// A scalar that is nothing but a variable.
const VARIABLE: &str = r"^\$\{[^}]+\}$";

/// All operators.
#[derive(Debug, Clone, Copy)]
pub struct Table(&'static [&'static [Declaration]]);

impl Table {
    /// The operators of several crates.
    pub const fn new(groups: &'static [&'static [Declaration]]) -> Self {
        Self(groups)
    }

    /// All operators, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &'static Declaration> {
        self.0.iter().flat_map(|group| group.iter())
    }

    /// The operator of that name.
    pub fn get(&self, name: &str) -> Option<&'static Declaration> {
        self.iter().find(|declaration| declaration.name == name)
    }

    /// All names.
    pub fn names(&self) -> Vec<&'static str> {
        self.iter().map(|declaration| declaration.name).collect()
    }

    /// The nearest name to one that is not known.
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        nearest(name, &self.names())
    }

    /// An operator back from its serialised form.
    pub fn restore(&self, link: &Link) -> Result<Box<dyn Operator>, Error> {
        let declaration = self
            .get(&link.operator)
            .filter(|declaration| declaration.version == link.version)
            .ok_or_else(|| {
                Error::stage(
                    &link.stage,
                    format!("operator {} version {} is not known", link.operator, link.version),
                )
            })?;
        (declaration.from_json)(link.parameters.clone())
            .map_err(|error| Error::stage(&link.stage, error.to_string()))
    }

    /// The JSON Schema of pipeline files, for editors.
    pub fn file_schema(&self) -> Value {
        let stages: Vec<Value> = self
            .iter()
            .map(|declaration| {
                let mut schema = declaration.schema();
                let mut properties = declaration.properties();
                for port in declaration.ports {
                    let one = json!({"type": "string"});
                    let kind = if port.many {
                        json!({"anyOf": [one, {"type": "array", "items": one}]})
                    } else {
                        one
                    };
                    let mut kind = kind;
                    kind["description"] = json!(port.about);
                    properties.insert(port.name.to_owned(), kind);
                }
                properties.insert("op".into(), json!({"const": declaration.name}));
                let mut required = vec![json!("op")];
                required.extend(schema["required"].as_array().cloned().unwrap_or_default());
                // `from` may be left out: it is the stage above.
                let needed = declaration.ports.iter().skip(1).filter(|port| !port.optional);
                required.extend(needed.map(|port| json!(port.name)));
                let mut properties = Value::Object(properties);
                allow_variables(&mut properties);
                schema["properties"] = properties;
                schema["required"] = Value::Array(required);
                schema["additionalProperties"] = json!(false);
                schema
            })
            .collect();
        let mut branches = Vec::new();
        for (declaration, schema) in self.iter().zip(stages) {
            branches.push(json!({
                "if": {"properties": {"op": {"const": declaration.name}}, "required": ["op"]},
                "then": schema,
            }));
        }
        let mut runtime = schema_of::<crate::Runtime>();
        allow_variables(&mut runtime["properties"]);
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Étude pipeline",
            "type": "object",
            "anyOf": [{"required": ["stages"]}, {"required": ["include"]}],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "description": "The pipeline's name; by default the file's."},
                "seed": {
                    "description": "Where all random numbers come from.",
                    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": VARIABLE}], "default": 0,
                },
                "vars": {
                    "type": "object",
                    "description": "Variables: `${name}` stands for their value in the stages.",
                },
                "include": {
                    "description": "Files whose variables and stages come before this one's.",
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                },
                "runtime": runtime,
                "stages": {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
                    "description": "The stages; each reads the one above it unless `from` names another.",
                    "additionalProperties": {
                        "type": "object",
                        "required": ["op"],
                        "properties": {"op": {"enum": self.names(), "description": "The operator."}},
                        "allOf": branches,
                    },
                },
            },
        })
    }
}
