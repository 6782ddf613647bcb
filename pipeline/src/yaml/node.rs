//! The tree of a YAML document.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::de::Problem;

/// Aliases are copied where they are used; more nodes than this is a mistake or an attack.
const MAX_NODES: usize = 100_000;

/// Where a value stands: the file, the line (from 1), the column (from 1) and the number of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Which of the files, 0 for the one that includes the others.
    pub file: usize,
    pub line: usize,
    pub column: usize,
    pub length: usize,
}

/// One value of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

/// What a [`Node`] holds. Mappings keep the order in which they were written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `plain` scalars (not quoted) may be read as null, bool or number.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// The key of a mapping's entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: String,
    pub span: Span,
}

impl Node {
    /// A scalar that may be read as a number, with no place in a file.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { span: Span::default(), value: Value::Scalar { text: text.into(), plain: true } }
    }

    /// The value under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// The entries of a mapping; none for any other value.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } => "a scalar",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::Sequence(nodes) => nodes.iter().map(Node::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|(_, node)| 1 + node.size()).sum(),
        }
    }
}

enum Open {
    Sequence(usize, Span, Vec<Node>),
    Mapping(usize, Span, Vec<(Key, Node)>, Option<Key>),
}

/// Reads one document; `file` is the number of its file.
///
/// Errors: syntax, a second document, a key that is not a scalar, a duplicate key, a tag, a merge key.
pub fn parse(text: &str, file: usize) -> Result<Node, Problem> {
    let mut stack: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Node> = HashMap::new();
    let mut root: Option<Node> = None;
    let mut copied = 0;
    for event in Parser::new_from_str(text) {
        let (event, at) = event.map_err(|error| {
            let mark = error.marker();
            let span = Span { file, line: mark.line(), column: mark.col() + 1, length: 1 };
            Problem::at(span, format!("not valid YAML: {}", error.info()))
        })?;
        let span = Span {
            file,
            line: at.start.line(),
            column: at.start.col() + 1,
            length: if at.end.line() == at.start.line() {
                at.end.col().saturating_sub(at.start.col())
            } else {
                1
            },
        };
        let (finished, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(Problem::at(span, "tags are not supported"));
                }
                let plain = style == ScalarStyle::Plain;
                (Node { span, value: Value::Scalar { text: text.into_owned(), plain } }, anchor)
            }
            Event::Alias(anchor) => {
                let mut node = anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| Problem::at(span, "the alias has no anchor"))?;
                copied += node.size();
                if copied > MAX_NODES {
                    return Err(Problem::at(span, "aliases expand to too many values"));
                }
                node.span = span;
                (node, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                if tag.is_some() {
                    return Err(Problem::at(span, "tags are not supported"));
                }
                stack.push(Open::Sequence(anchor, span, Vec::new()));
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                if tag.is_some() {
                    return Err(Problem::at(span, "tags are not supported"));
                }
                stack.push(Open::Mapping(anchor, span, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match stack.pop() {
                Some(Open::Sequence(anchor, span, nodes)) => {
                    (Node { span, value: Value::Sequence(nodes) }, anchor)
                }
                Some(Open::Mapping(anchor, span, entries, _)) => {
                    (Node { span, value: Value::Mapping(entries) }, anchor)
                }
                None => continue,
            },
            Event::DocumentStart(_) if root.is_some() => {
                return Err(Problem::at(span, "a second document; a pipeline file holds one"));
            }
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, finished.clone());
        }
        match stack.last_mut() {
            None => root = Some(finished),
            Some(Open::Sequence(_, _, nodes)) => nodes.push(finished),
            Some(Open::Mapping(_, _, entries, key)) => match key.take() {
                Some(key) => entries.push((key, finished)),
                None => *key = Some(new_key(finished, entries)?),
            },
        }
    }
    root.ok_or_else(|| Problem::at(Span { file, line: 1, column: 1, length: 1 }, "the file is empty"))
}

fn new_key(node: Node, entries: &[(Key, Node)]) -> Result<Key, Problem> {
    let Value::Scalar { text, plain } = node.value else {
        return Err(Problem::at(node.span, format!("a key must be a scalar, this is {}", node.kind())));
    };
    if plain && text == "<<" {
        return Err(Problem::at(node.span, "merge keys are not supported"));
    }
    if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
        let message = format!("duplicate key `{text}`");
        return Err(
            Problem::at(node.span, message).help(format!("it was first given in line {}", first.span.line))
        );
    }
    Ok(Key { text, span: node.span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_positions_and_order() {
        let node = parse("b: 1\na: {x: [1, two]}\n", 0).unwrap();
        let keys: Vec<_> = node.entries().iter().map(|(key, _)| key.text.as_str()).collect();
        assert_eq!(keys, ["b", "a"]);
        let x = node.get("a").and_then(|a| a.get("x")).unwrap();
        assert_eq!((x.span.line, x.span.column), (2, 8));
    }

    #[test]
    fn refuses_duplicate_keys() {
        let problem = parse("a: 1\nb: 2\na: 3\n", 0).unwrap_err();
        assert_eq!(problem.span.unwrap().line, 3);
        assert!(problem.message.contains("duplicate key `a`"));
    }

    #[test]
    fn refuses_alias_bombs() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..8 {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(","));
        }
        assert!(parse(&text, 0).unwrap_err().message.contains("too many"));
    }
}
