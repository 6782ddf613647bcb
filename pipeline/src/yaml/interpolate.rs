//! `${name}` in scalars.

use super::de::{Problem, unknown};
use super::node::{Node, Value};

/// The variables of a pipeline, in the order in which they were declared.
#[derive(Debug, Default, Clone)]
pub struct Variables(Vec<(String, Node)>);

impl Variables {
    /// Declares `name`, or replaces its value.
    pub fn set(&mut self, name: &str, value: Node) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    /// What `name`, `name.key` or `name[other]` stands for: a variable, or an entry of a mapping that a variable is.
    /// In brackets is a variable whose text is the key.
    fn find(&self, path: &str) -> Result<Node, Problem> {
        let (name, mut rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        let Some(mut node) = self.get(path).or_else(|| self.get(name)) else {
            return Err(unknown("variable", name, &self.names()));
        };
        if self.get(path).is_some() {
            return Ok(node.clone());
        }
        while !rest.is_empty() {
            let key;
            if let Some(after) = rest.strip_prefix('[') {
                let end = after
                    .find(']')
                    .ok_or_else(|| Problem::new(format!("`${{{path}}}` has `[` without `]`")))?;
                let Value::Scalar { text, .. } = self.find(&after[..end])?.value else {
                    return Err(Problem::new(format!(
                        "variable `{}` is not a scalar and cannot be a key",
                        &after[..end]
                    )));
                };
                key = text;
                rest = &after[end + 1..];
                if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                    return Err(Problem::new(format!("`${{{path}}}` has neither `.` nor `[` behind `]`")));
                }
            } else {
                let after = rest.strip_prefix('.').unwrap_or(rest);
                let end = after.find(['.', '[']).unwrap_or(after.len());
                key = after[..end].to_owned();
                rest = &after[end..];
            }
            let Value::Mapping(entries) = &node.value else {
                return Err(Problem::new(format!("`${{{path}}}` asks for `{key}` of what is no mapping")));
            };
            let found = entries.iter().find(|(known, _)| known.text == key);
            node = match found {
                Some((_, value)) => value,
                None => {
                    let names: Vec<&str> = entries.iter().map(|(known, _)| known.text.as_str()).collect();
                    return Err(unknown("entry", &key, &names));
                }
            };
        }
        Ok(node.clone())
    }

    /// All names.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Replaces `${name}` in every scalar below `node`; `$$` stands for one `$`.
///
/// `${name.key}` is an entry of a variable that is a mapping, `${name[other]}` the entry whose key is the text of the
/// variable `other`. `${env:NAME}` is a variable of the environment, `${env:NAME:-text}` the text where that is not set or empty.
///
/// A scalar that is nothing but `${name}` takes the variable's value with its type; within other
/// text the variable's own text is inserted.
pub fn interpolate(node: &mut Node, variables: &Variables) -> Result<(), Problem> {
    let span = node.span;
    match &mut node.value {
        Value::Sequence(nodes) => nodes.iter_mut().try_for_each(|node| interpolate(node, variables)),
        Value::Mapping(entries) => entries.iter_mut().try_for_each(|(_, node)| interpolate(node, variables)),
        Value::Scalar { text, .. } if !text.contains('$') => Ok(()),
        Value::Scalar { text, plain } => {
            let look_up = |name: &str| -> Result<Node, Problem> {
                if let Some(name) = name.strip_prefix("env:") {
                    return environment(name).map_err(|message| Problem::at(span, message));
                }
                variables.find(name).map_err(|problem| Problem { span: Some(span), ..problem })
            };
            if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
                && !name.contains(['$', '}'])
            {
                node.value = look_up(name)?.value;
                return Ok(());
            }
            let mut result = String::new();
            let mut rest = text.as_str();
            while let Some(at) = rest.find('$') {
                result.push_str(&rest[..at]);
                rest = &rest[at + 1..];
                if let Some(after) = rest.strip_prefix('$') {
                    result.push('$');
                    rest = after;
                } else if let Some(after) = rest.strip_prefix('{') {
                    let end = after.find('}').ok_or_else(|| Problem::at(span, "`${` without `}`"))?;
                    let Value::Scalar { text, .. } = look_up(&after[..end])?.value else {
                        let message = format!(
                            "variable `{}` is not a scalar and cannot stand within text",
                            &after[..end]
                        );
                        return Err(Problem::at(span, message));
                    };
                    result.push_str(&text);
                    rest = &after[end + 1..];
                } else {
                    result.push('$');
                }
            }
            result.push_str(rest);
            let plain = *plain;
            node.value = Value::Scalar { text: result, plain };
            Ok(())
        }
    }
}

/// `NAME` or `NAME:-default` of the environment.
fn environment(name: &str) -> Result<Node, String> {
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    match (std::env::var(name), default) {
        (Ok(value), Some(default)) if value.is_empty() => Ok(Node::plain(default)),
        (Ok(value), _) => Ok(Node::plain(value)),
        (Err(std::env::VarError::NotPresent), Some(default)) => Ok(Node::plain(default)),
        (Err(std::env::VarError::NotPresent), None) => {
            Err(format!("the environment has no variable {name}; `${{env:{name}:-text}}` gives it a default"))
        }
        (Err(error), _) => Err(format!("the environment's variable {name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{from_node, parse};

    #[test]
    fn whole_scalars_keep_their_type() {
        let mut variables = Variables::default();
        variables.set("rate", Node::plain("16000"));
        variables.set("music", Node::plain("./music"));
        let mut node = parse("a: '${rate}'\nb: ${music}/x$$y", 0).unwrap();
        interpolate(&mut node, &variables).unwrap();
        assert_eq!(from_node::<u32>(node.get("a").unwrap()).unwrap(), 16_000);
        assert_eq!(from_node::<String>(node.get("b").unwrap()).unwrap(), "./music/x$y");
    }

    #[test]
    fn entries_of_mappings_are_found() {
        let mut variables = Variables::default();
        let sizes = parse("{full: {batch: 48, steps: {a: 1}}, small: {batch: 8}}", 0).unwrap();
        variables.set("sizes", sizes);
        variables.set("scale", Node::plain("small"));
        let value = |text: &str| {
            let mut node = parse(text, 0).unwrap();
            interpolate(&mut node, &variables).map(|()| node)
        };
        let number = |text: &str| from_node::<u32>(&value(text).unwrap()).unwrap();
        assert_eq!(number("${sizes.full.batch}"), 48);
        assert_eq!(number("${sizes[scale].batch}"), 8);
        assert_eq!(number("${sizes.full.steps.a}"), 1);
        assert!(value("${sizes[scale]}").unwrap().get("batch").is_some());
        assert_eq!(from_node::<String>(&value("x${sizes[scale].batch}y").unwrap()).unwrap(), "x8y");
        let problem = value("${sizes.smal}").unwrap_err();
        assert!(
            problem.message.contains("unknown entry `smal`") && problem.help.unwrap().contains("`small`")
        );
        assert!(value("${sizes.full.batch.x}").unwrap_err().message.contains("no mapping"));
        assert!(value("${sizes[sizes]}").unwrap_err().message.contains("cannot be a key"));
        assert!(value("${sizes[scale}").unwrap_err().message.contains("without"));
        assert!(value("${sizes[scale]batch}").unwrap_err().message.contains("behind"));
    }

    #[test]
    fn undefined_variables_are_named() {
        let mut variables = Variables::default();
        variables.set("music", Node::plain("x"));
        let mut node = parse("a: ${musik}", 0).unwrap();
        let problem = interpolate(&mut node, &variables).unwrap_err();
        assert!(problem.message.contains("unknown variable `musik`"));
        assert!(problem.help.unwrap().contains("`music`"));
    }
}
