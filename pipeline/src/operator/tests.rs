use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::yaml;

/// Takes noise from a file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Toy {
    /// How much.
    #[serde(default = "one")]
    amount: f64,
    /// Where to look.
    #[schemars(extend("x-kind" = "location"))]
    place: String,
    /// What to mix in.
    #[schemars(extend("x-kind" = "input"))]
    noise: Option<String>,
    /// What else to mix in, by name.
    #[serde(default)]
    #[schemars(extend("x-kind" = "input"))]
    voices: BTreeMap<String, String>,
}

fn one() -> f64 {
    1.0
}

impl Declare for Toy {
    const NAME: &'static str = "toy";
    const VERSION: u32 = 3;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[];
}

impl Operator for Toy {
    fn output(&self, _: &Inputs<'_>) -> Result<Flow, Invalid> {
        Ok(Flow::Items)
    }

    fn body(&self) -> Body {
        Body::Map(Box::new(|_| panic!("the test runs nothing")))
    }
}

const TABLE: Table = Table::new(&[&[Declaration::of::<Toy>()]]);

fn values(yaml: &str) -> Result<Value, Invalid> {
    let declaration = TABLE.get("toy").unwrap();
    let operator = declaration.parse(&yaml::parse(yaml, 0).unwrap()).unwrap();
    declaration.values(&operator.parameters())
}

#[test]
fn values_count_with_their_defaults_and_places_do_not() {
    let fingerprint = json!({"amount": 1.0, "noise": null, "voices": {}});
    assert_eq!(values("place: here").unwrap(), fingerprint);
    assert_eq!(values("{place: there, amount: 1}").unwrap(), fingerprint);
    assert_ne!(values("{place: here, amount: 2}").unwrap(), fingerprint);
}

#[test]
fn of_an_input_its_content_counts() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        values(&format!("{{place: here, noise: {}}}", path.display())).unwrap()
    };
    assert_eq!(of("a", "one"), of("b", "one"));
    assert_ne!(of("a", "one"), of("a", "two"));
    let missing = values("{place: here, noise: /nowhere/a}").unwrap_err();
    assert_eq!(missing.parameter, "noise");
    let voices = |file: &str| {
        let path = folder.path().join(file);
        values(&format!("{{place: here, voices: {{high: {}}}}}", path.display()))
    };
    std::fs::copy(folder.path().join("a"), folder.path().join("b")).unwrap();
    assert_eq!(voices("a").unwrap(), voices("b").unwrap());
    std::fs::write(folder.path().join("b"), "other").unwrap();
    assert_ne!(voices("a").unwrap(), voices("b").unwrap());
    assert_eq!(voices("none").unwrap_err().parameter, "voices.high");
}

#[test]
fn a_plan_is_restored_from_names_and_parameters() {
    let link = |version| Link {
        stage: "s".into(),
        operator: "toy".into(),
        version,
        parameters: json!({"amount": 2.0, "place": "here", "noise": null, "voices": {}}),
        sides: Vec::new(),
    };
    assert_eq!(TABLE.restore(&link(3)).unwrap().parameters(), link(3).parameters);
    let message = TABLE.restore(&link(2)).unwrap_err().to_string();
    assert!(message.contains("operator toy version 2 is not known"), "{message}");
}
