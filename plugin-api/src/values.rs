//! Typed parameters: a serde deserialiser over the values the host passes.

#![forbid(unsafe_code)]

use crate::error::Error;
use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt::Display;

/// One value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Free text, or one of the choices.
    Text(String),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// Reads the typed parameters from `values`, each with its key.
///
/// # Errors
/// When a key is missing or unknown to `P`, or a value has the wrong type or range.
pub fn deserialise<P: DeserializeOwned>(values: &[(String, Value)]) -> Result<P, Error> {
    P::deserialize(Parameters(values)).map_err(|error| Error::invalid(format!("parameters: {error}")))
}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Error::invalid(message.to_string())
    }
}

struct Parameters<'a>(&'a [(String, Value)]);

impl<'de, 'a> Deserializer<'de> for Parameters<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.0.iter().map(|(key, value)| (key.as_str(), One { key, value }))))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.first() {
            None => visitor.visit_unit(),
            Some((key, _)) => {
                Err(Error::invalid(format!("`{key}` is in the schema, but the typed parameters are `()`")))
            }
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct One<'a> {
    key: &'a str,
    value: &'a Value,
}

impl One<'_> {
    fn named<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| Error::invalid(format!("`{}`: {error}", self.key)))
    }
}

impl<'de> IntoDeserializer<'de, Error> for One<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for One<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
        };
        self.named(result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Text(word) = self.value else {
            return self.named(Err(Error::invalid("a choice must be given as its word")));
        };
        let word: StrDeserializer<'_, Error> = word.as_str().into_deserializer();
        self.named(visitor.visit_enum(word))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mask {
        None,
        FullDerivative,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        depth: u32,
        noise: f32,
        mask: Mask,
        shared: bool,
        note: String,
        limit: Option<u8>,
    }

    fn values(depth: i64, mask: &str) -> Vec<(String, Value)> {
        vec![
            ("depth".into(), depth.into()),
            ("noise".into(), 0.5.into()),
            ("mask".into(), mask.into()),
            ("shared".into(), true.into()),
            ("note".into(), "é".into()),
            ("limit".into(), 3.into()),
        ]
    }

    #[test]
    fn every_type_is_read() {
        let params: Params = deserialise(&values(2, "full-derivative")).unwrap();
        let expected =
            Params {
                depth: 2, noise: 0.5, mask: Mask::FullDerivative, shared: true, note: "é".into(), limit: Some(3)
            };
        assert_eq!(params, expected);
        assert_eq!(deserialise::<()>(&[]), Ok(()));
    }

    #[test]
    fn failures_name_the_key() {
        let negative = deserialise::<Params>(&values(-1, "none")).unwrap_err();
        assert!(negative.text().contains("`depth`") && negative.text().contains("-1"), "{negative}");
        let unknown = deserialise::<Params>(&values(1, "some")).unwrap_err();
        assert!(unknown.text().contains("`mask`") && unknown.text().contains("full-derivative"), "{unknown}");
        let missing = deserialise::<Params>(&values(1, "none")[1..]).unwrap_err();
        assert!(missing.text().contains("missing field `depth`"), "{missing}");
        assert!(deserialise::<()>(&values(1, "none")).unwrap_err().text().contains("`depth`"));
    }
}
