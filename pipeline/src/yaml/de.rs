//! serde from a [`Node`]: the errors keep the place.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::node::{Key, Node, Span, Value};
use crate::suggest::nearest;

/// What is wrong with a value, where, and what would be right.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub span: Option<Span>,
    pub message: String,
    pub help: Option<String>,
}

impl Problem {
    /// A problem whose place is not known yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into(), help: None }
    }

    /// A problem at a place.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), help: None }
    }

    /// Adds what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// "did you mean" for a name that is not known.
pub(crate) fn unknown(kind: &str, name: &str, known: &[&str]) -> Problem {
    let help = match (nearest(name, known), known.is_empty()) {
        (_, true) => format!("no {kind} is expected here"),
        (Some(best), _) => format!("did you mean `{best}`? known: {}", known.join(", ")),
        (None, _) => format!("expected one of: {}", known.join(", ")),
    };
    Problem { span: None, message: format!("unknown {kind} `{name}`"), help: Some(help) }
}

/// What a type expects, in the words of someone who writes YAML.
fn expectation(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        other if other.starts_with("struct ") => "a mapping of parameters".into(),
        other => other.into(),
    }
}

fn finding(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Str(text) => format!("`{text}`"),
        de::Unexpected::Bool(value) => format!("`{value}`"),
        de::Unexpected::Unsigned(value) => format!("`{value}`"),
        de::Unexpected::Signed(value) => format!("`{value}`"),
        de::Unexpected::Float(value) => format!("`{value}`"),
        de::Unexpected::Unit => "nothing".into(),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { span: None, message: message.to_string(), help: None }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let message = format!("expected {}, found {}", expectation(expected), finding(&found));
        Self { span: None, message, help: None }
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("choice", variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("parameter", field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { span: None, message: format!("missing parameter `{field}`"), help: None }
    }
}

/// Deserialises a typed value from a node; a problem without a place of its own gets the node's.
pub fn from_node<'de, T: de::Deserialize<'de>>(node: &'de Node) -> Result<T, Problem> {
    T::deserialize(node).map_err(|problem| problem.or_at(node.span))
}

impl Node {
    fn any<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, Problem> {
        match &self.value {
            Value::Scalar { text, plain: false } => visitor.visit_borrowed_str(text),
            Value::Scalar { text, plain: true } => match text.as_str() {
                "" | "~" | "null" | "Null" | "NULL" => visitor.visit_unit(),
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                _ => {
                    if let Ok(number) = text.parse::<u64>() {
                        visitor.visit_u64(number)
                    } else if let Ok(number) = text.parse::<i64>() {
                        visitor.visit_i64(number)
                    } else if let Some(number) = float(text) {
                        visitor.visit_f64(number)
                    } else {
                        visitor.visit_borrowed_str(text)
                    }
                }
            },
            Value::Sequence(nodes) => {
                let mut list = List(nodes.iter());
                let value = visitor.visit_seq(&mut list)?;
                let expected = nodes.len() - list.0.len();
                match list.0.next() {
                    None => Ok(value),
                    Some(_) => Err(Problem::at(
                        self.span,
                        format!("expected {expected} values, found {}", nodes.len()),
                    )),
                }
            }
            Value::Mapping(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        }
    }
}

/// YAML 1.2 floats: Rust's own grammar without its words, plus `.inf` and `.nan`.
fn float(text: &str) -> Option<f64> {
    match text {
        ".inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        ".nan" => Some(f64::NAN),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => text.parse().ok(),
        _ => None,
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.any(visitor)
    }

    // A name may look like a number.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.value {
            Value::Scalar { text, .. } => visitor.visit_borrowed_str(text),
            _ => self.any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.value {
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null") => {
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match &self.value {
            Value::Scalar { text, .. } => {
                visitor.visit_enum(Choice { name: text, span: self.span, content: None })
            }
            Value::Mapping(entries) => match entries.as_slice() {
                [(key, content)] => {
                    visitor.visit_enum(Choice { name: &key.text, span: key.span, content: Some(content) })
                }
                _ => Err(Problem::at(self.span, format!("expected one of: {}", variants.join(", ")))),
            },
            Value::Sequence(_) => Err(Problem::at(self.span, "expected a name, found a list")
                .help(format!("expected one of: {}", variants.join(", ")))),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct ignored_any
    }
}

struct List<'de>(std::slice::Iter<'de, Node>);

impl<'de> de::SeqAccess<'de> for &mut List<'de> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        self.0
            .next()
            .map(|node| seed.deserialize(node).map_err(|problem| problem.or_at(node.span)))
            .transpose()
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let name: de::value::BorrowedStrDeserializer<'de, Problem> =
            de::value::BorrowedStrDeserializer::new(&key.text);
        seed.deserialize(name).map(Some).map_err(|problem| problem.or_at(key.span))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        let node =
            self.value.take().ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(node).map_err(|problem| problem.or_at(node.span))
    }
}

struct Choice<'de> {
    name: &'de str,
    span: Span,
    content: Option<&'de Node>,
}

impl<'de> de::EnumAccess<'de> for Choice<'de> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let name: de::value::StrDeserializer<'_, Problem> = self.name.into_deserializer();
        let value = seed.deserialize(name).map_err(|problem| problem.or_at(self.span))?;
        Ok((value, self))
    }
}

/// A choice with nothing after it: all its parameters have their defaults.
static EMPTY: Node =
    Node { span: Span { file: 0, line: 0, column: 0, length: 0 }, value: Value::Mapping(Vec::new()) };

impl<'de> Choice<'de> {
    fn content(&self) -> &'de Node {
        match self.content {
            Some(Node { value: Value::Scalar { text, plain: true }, .. }) if text.is_empty() => &EMPTY,
            Some(node) => node,
            None => &EMPTY,
        }
    }

    fn place(&self) -> Span {
        self.content.map_or(self.span, |node| node.span)
    }
}

impl<'de> de::VariantAccess<'de> for Choice<'de> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.content() {
            node if node.entries().is_empty() && matches!(node.value, Value::Mapping(_)) => Ok(()),
            node => Err(Problem::at(node.span, format!("`{}` takes no parameters", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        let place = self.place();
        seed.deserialize(self.content()).map_err(|problem| problem.or_at(place))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        let place = self.place();
        self.content().any(visitor).map_err(|problem| problem.or_at(place))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let place = self.place();
        self.content().any(visitor).map_err(|problem| problem.or_at(place))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::yaml::parse;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Toy {
        seconds: f64,
        #[serde(default)]
        tail: Tail,
        name: Option<String>,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(rename_all = "snake_case")]
    enum Tail {
        #[default]
        Drop,
        Pad {
            with: i32,
        },
    }

    fn toy(text: &str) -> Result<Toy, Problem> {
        from_node(&parse(text, 0).unwrap())
    }

    #[test]
    fn reads_types() {
        assert_eq!(
            toy("{seconds: 10, tail: {pad: {with: -1}}, name: 12}").unwrap(),
            Toy { seconds: 10.0, tail: Tail::Pad { with: -1 }, name: Some("12".into()) }
        );
        assert_eq!(toy("seconds: 2.5").unwrap().tail, Tail::Drop);
        assert_eq!(toy("{seconds: 1, tail: drop}").unwrap().tail, Tail::Drop);
    }

    #[test]
    fn points_at_what_is_wrong() {
        let problem = toy("seconds: ten").unwrap_err();
        assert_eq!((problem.span.unwrap().line, problem.span.unwrap().column), (1, 10));
        let problem = toy("seconds: 1\nsecond: 2").unwrap_err();
        assert_eq!(problem.span.unwrap().line, 2);
        assert!(problem.help.unwrap().contains("did you mean `seconds`"));
        let problem = toy("{seconds: 1, tail: pas}").unwrap_err();
        assert!(problem.message.contains("unknown choice `pas`"));
        assert!(toy("name: x").unwrap_err().message.contains("missing parameter `seconds`"));
        let problem = toy("{seconds: 1, tail: {pad: {with: x}}}").unwrap_err();
        assert_eq!(problem.span.unwrap().column, 33);
    }
}
