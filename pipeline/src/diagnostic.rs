//! An error in a pipeline file, with the place marked.

use std::fmt;

use crate::yaml::{Problem, Span};

/// An error in a pipeline file.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    pub file: String,
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
    /// The line of the file that the span is in.
    pub excerpt: String,
}

impl Diagnostic {
    /// A problem of a file with that text.
    pub fn new(file: &str, text: &str, problem: Problem) -> Self {
        let span =
            problem.span.filter(|span| span.line > 0).unwrap_or(Span { line: 1, column: 1, length: 1 });
        let excerpt = text.lines().nth(span.line - 1).unwrap_or_default().to_owned();
        Self { file: file.to_owned(), span, message: problem.message, help: problem.help, excerpt }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, span, message, help, excerpt } = self;
        let margin = " ".repeat(span.line.to_string().len());
        let room = excerpt.chars().count().saturating_sub(span.column - 1).max(1);
        let marks = "^".repeat(span.length.clamp(1, room));
        writeln!(formatter, "{message}")?;
        writeln!(formatter, "{margin}--> {file}:{}:{}", span.line, span.column)?;
        writeln!(formatter, "{margin} |")?;
        writeln!(formatter, "{} | {excerpt}", span.line)?;
        write!(formatter, "{margin} | {}{marks}", " ".repeat(span.column - 1))?;
        if let Some(help) = help {
            write!(formatter, "\n{margin} = {help}")?;
        }
        Ok(())
    }
}
