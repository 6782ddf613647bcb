//! An error in a pipeline file, with the place marked.

use std::fmt;

use crate::yaml::{Files, Problem, Span};

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
    /// A problem in one of the files of a pipeline.
    pub fn new(files: &Files, problem: Problem) -> Self {
        let first = Span { file: 0, line: 1, column: 1, length: 1 };
        let span = problem.span.filter(|span| span.line > 0).unwrap_or(first);
        let (file, text) = files.0.get(span.file).cloned().unwrap_or_default();
        let excerpt = text.lines().nth(span.line - 1).unwrap_or_default().to_owned();
        Self { file, span, message: problem.message, help: problem.help, excerpt }
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
