//! Components that are chosen by name.

use etude_pipeline::operator::Invalid;

/// An enum with a variant for each component, a module each, and the component behind it as a trait object.
///
/// In YAML a choice is `{name: {…}}`, or the name alone where all parameters have defaults.
macro_rules! choices {
    ($(#[$about:meta])* $choice:ident: $trait:ident { $($(#[$doc:meta])* $variant:ident in $module:ident,)* }) => {
        $(mod $module; pub use $module::$variant;)*

        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $choice {
            $($(#[$doc])* $variant($variant),)*
        }

        impl $choice {
            /// The component that was chosen.
            pub fn chosen(&self) -> &dyn $trait {
                match self {
                    $(Self::$variant(chosen) => chosen,)*
                }
            }

            /// The same, to be changed.
            #[allow(dead_code, reason = "not all are")]
            fn chosen_mut(&mut self) -> &mut dyn $trait {
                match self {
                    $(Self::$variant(chosen) => chosen,)*
                }
            }
        }
    };
}

pub(crate) use choices;

/// The name that a choice has in YAML.
pub fn name_of<T: serde::Serialize>(choice: &T) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    let name = value.as_object().and_then(|map| map.keys().next().cloned());
    name.or_else(|| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The error of a parameter below a prefix.
pub fn below(prefix: &str, invalid: Invalid) -> Invalid {
    Invalid { parameter: format!("{prefix}.{}", invalid.parameter), ..invalid }
}
