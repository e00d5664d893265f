//! A strategy's parameters: the schema its library declares, and a workspace's values checked against it.
//!
//! Everything a plugin receives has passed here: right key, right type, in range, defaulted, in the schema's order.
#![forbid(unsafe_code)]

use super::refusal::nearest;
use crate::workspace::ParamValue;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// One parameter as its library declares it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParamSpec {
    /// Key in workspace files.
    pub key: String,
    /// One sentence.
    pub doc: String,
    /// Its type, with what limits it.
    #[serde(flatten)]
    pub kind: ParamKind,
}

/// Type, default and limits of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ParamKind {
    /// A whole number.
    Int {
        /// Value when left out.
        default: i64,
        /// Smallest value; −∞ for none.
        #[serde(skip_serializing_if = "is_infinite")]
        min: f64,
        /// Largest value; +∞ for none.
        #[serde(skip_serializing_if = "is_infinite")]
        max: f64,
    },
    /// A number.
    Float {
        /// Value when left out.
        default: f64,
        /// Smallest value; −∞ for none.
        #[serde(skip_serializing_if = "is_infinite")]
        min: f64,
        /// Largest value; +∞ for none.
        #[serde(skip_serializing_if = "is_infinite")]
        max: f64,
    },
    /// true or false.
    Bool {
        /// Value when left out.
        default: bool,
    },
    /// One of a few words.
    Choice {
        /// Value when left out.
        default: String,
        /// The words.
        choices: Vec<String>,
    },
    /// Free text.
    Text {
        /// Value when left out.
        default: String,
    },
}

fn is_infinite(value: &f64) -> bool {
    value.is_infinite()
}

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of an int.
    Int(i64),
    /// Of a float.
    Float(f64),
    /// Of a bool.
    Bool(bool),
    /// Of a choice.
    Choice(String),
    /// Of a text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(formatter, "{value}"),
            Self::Float(value) => write!(formatter, "{value:?}"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Choice(value) | Self::Text(value) => write!(formatter, "\"{value}\""),
        }
    }
}

/// All parameters of a strategy, checked and defaulted, in the order of its schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    values: Vec<(String, Value)>,
}

/// What is wrong with a parameter in a workspace.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ParamError {
    /// The strategy has no such parameter.
    #[error("`{strategy}` has no parameter `{key}`{}", hint(nearest, known))]
    UnknownKey {
        /// The strategy.
        strategy: String,
        /// The key given.
        key: String,
        /// The nearest key there is.
        nearest: Option<String>,
        /// All keys there are.
        known: Vec<String>,
    },
    /// The value has another type.
    #[error("parameter `{key}` of `{strategy}` is {found}, expected {expected}")]
    Type {
        /// The strategy.
        strategy: String,
        /// The key.
        key: String,
        /// What was given.
        found: String,
        /// What is expected.
        expected: String,
    },
    /// The value lies outside.
    #[error("parameter `{key}` of `{strategy}` is {found}, expected {expected}")]
    Range {
        /// The strategy.
        strategy: String,
        /// The key.
        key: String,
        /// What was given.
        found: String,
        /// What is expected.
        expected: String,
    },
    /// The word is none of the choices.
    #[error(
        "parameter `{key}` of `{strategy}` is \"{found}\", expected one of {}{}",
        choices.join(", "),
        nearest.as_ref().map(|word| format!("; did you mean \"{word}\"?")).unwrap_or_default()
    )]
    Choice {
        /// The strategy.
        strategy: String,
        /// The key.
        key: String,
        /// What was given.
        found: String,
        /// The nearest choice.
        nearest: Option<String>,
        /// The choices.
        choices: Vec<String>,
    },
}

fn hint(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(key) => format!("; did you mean `{key}`? It takes {}", known.join(", ")),
        None if known.is_empty() => "; it takes none".into(),
        None => format!("; it takes {}", known.join(", ")),
    }
}

impl ParamSpec {
    /// The value when left out.
    pub fn default_value(&self) -> Value {
        match &self.kind {
            ParamKind::Int { default, .. } => Value::Int(*default),
            ParamKind::Float { default, .. } => Value::Float(*default),
            ParamKind::Bool { default } => Value::Bool(*default),
            ParamKind::Choice { default, .. } => Value::Choice(default.clone()),
            ParamKind::Text { default } => Value::Text(default.clone()),
        }
    }

    /// Type and limits in words: `whole number, 1 to 8`.
    pub fn expected(&self) -> String {
        match &self.kind {
            ParamKind::Int { min, max, .. } => format!("a whole number{}", range(*min, *max)),
            ParamKind::Float { min, max, .. } => format!("a number{}", range(*min, *max)),
            ParamKind::Bool { .. } => "true or false".into(),
            ParamKind::Choice { choices, .. } => format!("one of {}", choices.join(", ")),
            ParamKind::Text { .. } => "text in quotes".into(),
        }
    }

    /// The value that `given` stands for in a lane of `strategy`.
    ///
    /// # Errors
    /// Another type than the schema's, or out of its range.
    pub fn check(&self, strategy: &str, given: &ParamValue) -> Result<Value, ParamError> {
        let within = |value: f64, min: f64, max: f64| {
            if value.is_finite() && value >= min && value <= max {
                return Ok(());
            }
            let (strategy, key) = (strategy.to_owned(), self.key.clone());
            Err(ParamError::Range { strategy, key, found: format!("{value}"), expected: self.expected() })
        };
        match (&self.kind, given) {
            (ParamKind::Int { min, max, .. }, ParamValue::Int(value)) => {
                within(*value as f64, *min, *max).map(|()| Value::Int(*value))
            }
            (ParamKind::Float { min, max, .. }, ParamValue::Int(value)) => {
                within(*value as f64, *min, *max).map(|()| Value::Float(*value as f64))
            }
            (ParamKind::Float { min, max, .. }, ParamValue::Float(value)) => {
                within(*value, *min, *max).map(|()| Value::Float(*value))
            }
            (ParamKind::Bool { .. }, ParamValue::Bool(value)) => Ok(Value::Bool(*value)),
            (ParamKind::Choice { choices, .. }, ParamValue::Text(value)) if choices.contains(value) => {
                Ok(Value::Choice(value.clone()))
            }
            (ParamKind::Choice { choices, .. }, ParamValue::Text(value)) => Err(ParamError::Choice {
                strategy: strategy.to_owned(),
                key: self.key.clone(),
                found: value.clone(),
                nearest: nearest(value, choices.iter().map(String::as_str)),
                choices: choices.clone(),
            }),
            (ParamKind::Text { .. }, ParamValue::Text(value)) => Ok(Value::Text(value.clone())),
            (_, given) => Err(ParamError::Type {
                strategy: strategy.to_owned(),
                key: self.key.clone(),
                found: match given {
                    ParamValue::Bool(value) => format!("{value}"),
                    ParamValue::Int(value) => format!("the whole number {value}"),
                    ParamValue::Float(value) => format!("the number {value:?}"),
                    ParamValue::Text(value) => format!("the text \"{value}\""),
                },
                expected: self.expected(),
            }),
        }
    }
}

fn range(min: f64, max: f64) -> String {
    match (min.is_finite(), max.is_finite()) {
        (true, true) => format!(", {min} to {max}"),
        (true, false) => format!(", at least {min}"),
        (false, true) => format!(", at most {max}"),
        (false, false) => String::new(),
    }
}

impl Params {
    /// Checks `given` against the schema of `strategy` and fills in what is left out.
    ///
    /// # Errors
    /// The first key that is unknown, or whose value does not fit.
    pub fn check(
        strategy: &str,
        schema: &[ParamSpec],
        given: &BTreeMap<String, ParamValue>,
    ) -> Result<Self, ParamError> {
        if let Some(key) = given.keys().find(|key| schema.iter().all(|spec| spec.key != **key)) {
            return Err(ParamError::UnknownKey {
                strategy: strategy.to_owned(),
                key: key.clone(),
                nearest: nearest(key, schema.iter().map(|spec| spec.key.as_str())),
                known: schema.iter().map(|spec| spec.key.clone()).collect(),
            });
        }
        let value = |spec: &ParamSpec| match given.get(&spec.key) {
            Some(given) => spec.check(strategy, given),
            None => Ok(spec.default_value()),
        };
        let values = schema.iter().map(|spec| Ok((spec.key.clone(), value(spec)?))).collect::<Result<_, _>>()?;
        Ok(Self { values })
    }

    /// Keys and values, in the order of the schema.
    pub fn values(&self) -> &[(String, Value)] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Vec<ParamSpec> {
        let spec = |key: &str, kind| ParamSpec { key: key.into(), doc: String::new(), kind };
        vec![
            spec("depth", ParamKind::Int { default: 1, min: 1.0, max: 8.0 }),
            spec("ridge", ParamKind::Float { default: 0.5, min: 0.0, max: f64::INFINITY }),
            spec("shared", ParamKind::Bool { default: false }),
            spec("mask", ParamKind::Choice { default: "none".into(), choices: vec!["none".into(), "active".into()] }),
            spec("note", ParamKind::Text { default: String::new() }),
        ]
    }

    fn check(given: &[(&str, ParamValue)]) -> Result<Params, String> {
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Params::check("transpose", &schema(), &given).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_fill_in_and_the_order_is_the_schema_s() {
        let params = check(&[("note", ParamValue::Text("x".into())), ("depth", ParamValue::Int(3))]).unwrap();
        let expected = [
            ("depth", Value::Int(3)),
            ("ridge", Value::Float(0.5)),
            ("shared", Value::Bool(false)),
            ("mask", Value::Choice("none".into())),
            ("note", Value::Text("x".into())),
        ];
        let found: Vec<_> = params.values().iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_whole_number_serves_as_a_float_but_not_the_other_way() {
        assert_eq!(check(&[("ridge", ParamValue::Int(2))]).unwrap().values()[1].1, Value::Float(2.0));
        assert_eq!(
            check(&[("depth", ParamValue::Float(2.0))]).unwrap_err(),
            "parameter `depth` of `transpose` is the number 2.0, expected a whole number, 1 to 8"
        );
    }

    #[test]
    fn slips_are_named_with_the_way_out() {
        assert_eq!(
            check(&[("dept", ParamValue::Int(2))]).unwrap_err(),
            "`transpose` has no parameter `dept`; did you mean `depth`? It takes depth, ridge, shared, mask, note"
        );
        assert_eq!(
            check(&[("depth", ParamValue::Int(9))]).unwrap_err(),
            "parameter `depth` of `transpose` is 9, expected a whole number, 1 to 8"
        );
        assert_eq!(
            check(&[("mask", ParamValue::Text("activ".into()))]).unwrap_err(),
            "parameter `mask` of `transpose` is \"activ\", expected one of none, active; did you mean \"active\"?"
        );
        assert_eq!(
            check(&[("shared", ParamValue::Int(1))]).unwrap_err(),
            "parameter `shared` of `transpose` is the whole number 1, expected true or false"
        );
        assert!(check(&[("ridge", ParamValue::Float(f64::NAN))]).is_err());
    }
}
