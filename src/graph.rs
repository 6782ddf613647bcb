//! The graph of stages, drawn.

use etude_pipeline::spec::Pipeline;

use crate::cli::GraphFormat;

/// The graph as mermaid or dot. Stages whose output is kept are drawn as stores.
pub fn draw(pipeline: &Pipeline, format: GraphFormat) -> String {
    let mut text = match format {
        GraphFormat::Mermaid => "flowchart TD\n".to_owned(),
        GraphFormat::Dot => format!("digraph \"{}\" {{\n  node [shape=box]\n", pipeline.name),
    };
    for stage in &pipeline.stages {
        let (name, operator) = (&stage.name, stage.declaration.name);
        let label = if name == operator { name.clone() } else { format!("{name}: {operator}") };
        text += &match (format, stage.materialises()) {
            // `end` is a word of mermaid's, as a name it needs another id.
            (GraphFormat::Mermaid, true) => format!("  {}[(\"{label}\")]\n", id(name)),
            (GraphFormat::Mermaid, false) => format!("  {}[\"{label}\"]\n", id(name)),
            (GraphFormat::Dot, true) => format!("  \"{name}\" [label=\"{label}\", shape=cylinder]\n"),
            (GraphFormat::Dot, false) => format!("  \"{name}\" [label=\"{label}\"]\n"),
        };
    }
    for stage in &pipeline.stages {
        for (port, reads) in &stage.inputs {
            for read in reads {
                let (from, to) = (&pipeline.stages[*read].name, &stage.name);
                text += &match (format, *port == "from") {
                    (GraphFormat::Mermaid, true) => format!("  {} --> {}\n", id(from), id(to)),
                    (GraphFormat::Mermaid, false) => format!("  {} -- {port} --> {}\n", id(from), id(to)),
                    (GraphFormat::Dot, true) => format!("  \"{from}\" -> \"{to}\"\n"),
                    (GraphFormat::Dot, false) => format!("  \"{from}\" -> \"{to}\" [label=\"{port}\"]\n"),
                };
            }
        }
    }
    if matches!(format, GraphFormat::Dot) {
        text += "}\n";
    }
    text
}

fn id(name: &str) -> String {
    if name.eq_ignore_ascii_case("end") { format!("stage_{name}") } else { name.to_owned() }
}
