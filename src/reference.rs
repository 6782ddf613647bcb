//! The operator reference, from the one table.

use etude_learning::TABLE;
use etude_pipeline::Error;
use etude_pipeline::operator::{Declaration, Kind, Scope};
use serde_json::Value;

/// All operators in short, one in full, or all in full as Markdown.
pub fn render(name: Option<&str>, markdown: bool) -> Result<String, Error> {
    if let Some(name) = name {
        let declaration = TABLE.get(name).ok_or_else(|| {
            let near =
                TABLE.nearest(name).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            Error::Other(format!("unknown operator `{name}`{near}; known: {}", TABLE.names().join(", ")))
        })?;
        return Ok(full(declaration, markdown));
    }
    if markdown {
        let head = "# Operators\n\nThis page is printed by `etude ops --markdown`.\n\n";
        return Ok(head.to_owned()
            + &TABLE.iter().map(|operator| full(operator, true)).collect::<Vec<_>>().join("\n"));
    }
    let width = TABLE.names().iter().map(|name| name.len()).max().unwrap_or(0);
    let line = |operator: &Declaration| {
        let about = operator.about();
        let first = about.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        format!("{:width$}  {first}\n", operator.name)
    };
    Ok(TABLE.iter().map(line).collect())
}

fn full(operator: &Declaration, markdown: bool) -> String {
    let scope = if operator.scope == Scope::Item { "item" } else { "dataset" };
    let title = if markdown { format!("## {}", operator.name) } else { operator.name.to_owned() };
    let mut text =
        format!("{title}\n\n{}\n\nScope: {scope}. Version: {}.\n", operator.about(), operator.version);
    if !operator.ports.is_empty() {
        text += "\nInputs:\n\n";
    }
    for port in operator.ports {
        let many = if port.many { " (one or a list)" } else { "" };
        let optional = if port.optional { " (optional)" } else { "" };
        text += &format!("- `{}`{many}{optional}: {}\n", port.name, port.about);
    }
    let schema = operator.schema();
    let properties = operator.properties();
    if !properties.is_empty() {
        text += "\nParameters:\n\n";
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, schema) in &properties {
        let kind = match operator.kind(name) {
            Kind::Value => "",
            Kind::Location => ", location",
            Kind::Input => ", input",
        };
        parameter(&mut text, 0, name, schema, required.contains(&name.as_str()), kind);
    }
    text
}

/// A parameter, and those nested in it.
fn parameter(text: &mut String, depth: usize, name: &str, schema: &Value, required: bool, kind: &str) {
    let indent = "  ".repeat(depth);
    let default = match (required, &schema["default"]) {
        (true, _) => ", required".to_owned(),
        (false, Value::Null) => String::new(),
        (false, default) => format!(", default `{default}`"),
    };
    let about = schema["description"].as_str().unwrap_or_default().split("\n\n").next().unwrap_or_default();
    *text +=
        &format!("{indent}- `{name}` ({}{default}{kind}): {}\n", type_of(schema), about.replace('\n', " "));
    nested(text, depth + 1, schema);
}

fn nested(text: &mut String, depth: usize, schema: &Value) {
    if let Some(properties) = schema["properties"].as_object() {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, schema) in properties {
            parameter(text, depth, name, schema, required.contains(&name.as_str()), "");
        }
    }
    for choice in schema["oneOf"].as_array().into_iter().flatten() {
        let indent = "  ".repeat(depth);
        let about = choice["description"].as_str().unwrap_or_default().replace('\n', " ");
        if let Some(value) = choice["const"].as_str() {
            *text += &format!("{indent}- `{value}`: {about}\n");
        } else if let Some((name, inner)) = choice["properties"].as_object().and_then(|map| map.iter().next())
        {
            *text += &format!("{indent}- `{name}`: {about}\n");
            nested(text, depth + 1, inner);
        }
    }
    if schema["items"].is_object() {
        nested(text, depth, &schema["items"]);
    }
}

fn type_of(schema: &Value) -> String {
    if schema["oneOf"].is_array() || schema["enum"].is_array() {
        return "one of".into();
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => match type_of(&schema["items"]).as_str() {
            "one of" => "list".into(),
            of => format!("list of {of}"),
        },
        Value::String(name) if name == "object" => "mapping".into(),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names: Vec<&str> =
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            format!("{}, may be left out", names.join(" or "))
        }
        _ => "any".into(),
    }
}
