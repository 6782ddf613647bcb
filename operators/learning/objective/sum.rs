use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Objective};
use crate::choices::below;

/// The weighted sum of several objectives: each has its `weight`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// The objectives, 1 to 16 of them, none of which is a sum.
    pub of: Vec<Objective>,
}

impl Aim for Sum {
    fn weight(&self) -> f64 {
        1.0
    }

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=16).contains(&self.of.len()), "of", "must be 1 to 16 objectives")?;
        for (index, term) in self.of.iter().enumerate() {
            let nested = matches!(term, Objective::Sum(_));
            Invalid::unless(!nested, &format!("of.{index}.sum"), "cannot be part of a sum")?;
            let prefix = format!("of.{index}.{}", term.name());
            term.chosen().check().map_err(|invalid| below(&prefix, invalid))?;
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        self.of.iter().map(|term| term.chosen().needs()).reduce(Needs::and).unwrap_or_default()
    }
}
