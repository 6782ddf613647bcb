//! What the page says without its script.

use std::borrow::Cow;
use std::io::{self, Write};

use super::encode::Encoded;
use super::{Page, Rows};

pub fn title(page: &Page) -> String {
    let item = page.item.iter().map(|item| format!(" · {}", escape(item))).collect::<String>();
    format!("{}{item} · étude", escape(&page.stage))
}

pub fn head(page: &Page) -> String {
    let mut text = format!("<p class=\"path\">{}</p>\n", escape(&page.pipeline));
    text += &format!("<h1>{}</h1>\n<p class=\"what\">", escape(&page.stage));
    text += &format!("<span class=\"op\">{}</span>", escape(&page.operator));
    if let Some(item) = &page.item {
        text += &format!(" <span class=\"of\">of</span> <span class=\"item\">{}</span>", escape(item));
    }
    text += "</p>\n";
    if !page.parameters.trim().is_empty() {
        let parameters = escape(page.parameters.trim());
        text += &format!(
            "<details><summary>Parameters</summary><pre tabindex=\"0\">{parameters}</pre></details>\n"
        );
    }
    text
}

/// What was given, and what of it the page leaves out.
pub fn notes(page: &Page, signals: &[Encoded]) -> String {
    let mut notes = page.notes.clone();
    let all = page.signals.len() as u64 + page.left_out;
    let out = all - signals.len() as u64;
    if out > 0 {
        notes.push(format!("The first {} of {all} signals are shown; --limit shows more.", signals.len()));
    }
    let cut = signals.iter().filter(|signal| signal.is_cut()).count();
    match cut {
        0 => {}
        1 => notes.push("One signal is longer than what is shown of it.".into()),
        _ => notes.push(format!("{cut} signals are longer than what is shown of them.")),
    }
    if page.signals.is_empty() && page.table.is_none() {
        notes.push("The stage gives nothing for this item.".into());
    }
    let lines: String = notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
    if lines.is_empty() { lines } else { format!("<ul class=\"notes\">{lines}</ul>\n") }
}

pub fn items(page: &Page) -> String {
    if page.items.is_empty() {
        return String::new();
    }
    let lines: String = page.items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
    format!("<details><summary>Other items</summary><ul class=\"items\">{lines}</ul></details>\n")
}

pub fn table(rows: &Rows, output: &mut impl Write) -> io::Result<()> {
    let is_number = |column: usize| {
        let mut cells = rows.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
        cells.all(|cell| cell.parse::<f64>().is_ok())
    };
    let classes: Vec<&str> = (0..rows.columns.len())
        .map(|column| if is_number(column) { " class=\"number\"" } else { "" })
        .collect();
    writeln!(
        output,
        "<div class=\"rows\" tabindex=\"0\" role=\"region\" aria-label=\"Rows\"><table><thead><tr>"
    )?;
    for (column, class) in rows.columns.iter().zip(&classes) {
        write!(output, "<th scope=\"col\"{class}>{}</th>", escape(column))?;
    }
    writeln!(output, "</tr></thead><tbody>")?;
    for row in &rows.rows {
        write!(output, "<tr>")?;
        for (cell, class) in row.iter().zip(&classes) {
            write!(output, "<td{class}>{}</td>", escape(cell))?;
        }
        writeln!(output, "</tr>")?;
    }
    writeln!(output, "</tbody></table></div>")?;
    let all = rows.rows.len() as u64 + rows.left_out;
    match (all, rows.left_out) {
        (0, _) => writeln!(output, "<p class=\"count\">No rows.</p>"),
        (1, _) => writeln!(output, "<p class=\"count\">One row.</p>"),
        (_, 0) => writeln!(output, "<p class=\"count\">{all} rows.</p>"),
        _ => writeln!(output, "<p class=\"count\">The first {} of {all} rows.</p>", rows.rows.len()),
    }
}

/// Text as the content of an element or an attribute.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}
