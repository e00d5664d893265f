//! How numbers are written: the shortest decimal that reads back as the same f64, and words for what is no number.
//!
//! JSON has no NaN and no infinities; they stand as the strings `"NaN"`, `"inf"` and `"-inf"`, which `float()` of Python
//! and `str::parse` of Rust understand. CSV holds the same words without quotes.
#![forbid(unsafe_code)]

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::io::Write;

/// An f64 that survives JSON whatever its value.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Number(pub f64);

/// The word for a value that is no finite number.
fn word(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

/// Appends `value` as JSON.
pub fn write_json(line: &mut Vec<u8>, value: f64) {
    match word(value) {
        Some(word) => {
            line.push(b'"');
            line.extend_from_slice(word.as_bytes());
            line.push(b'"');
        }
        None => write_finite(line, value),
    }
}

/// Appends `value` as a CSV cell.
pub fn write_plain(line: &mut Vec<u8>, value: f64) {
    match word(value) {
        Some(word) => line.extend_from_slice(word.as_bytes()),
        None => write_finite(line, value),
    }
}

fn write_finite(line: &mut Vec<u8>, value: f64) {
    // `{:?}` is the shortest form that reads back exactly, with an exponent where that is shorter: valid JSON.
    // Writing to a vector cannot fail.
    let _ = write!(line, "{value:?}");
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match word(self.0) {
            Some(word) => serializer.serialize_str(word),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;

        impl Visitor<'_> for AnyNumber {
            type Value = Number;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
                match value {
                    "NaN" => Ok(Number(f64::NAN)),
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
                }
            }
        }

        deserializer.deserialize_any(AnyNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(value: f64) -> String {
        let mut line = Vec::new();
        write_json(&mut line, value);
        String::from_utf8(line).expect("ascii")
    }

    #[test]
    fn words_stand_for_what_json_lacks() {
        assert_eq!(json(f64::NAN), "\"NaN\"");
        assert_eq!(json(f64::INFINITY), "\"inf\"");
        assert_eq!(json(f64::NEG_INFINITY), "\"-inf\"");
        assert_eq!(json(1.0), "1.0");
        assert_eq!(json(1e-300), "1e-300");
        assert!(serde_json::from_str::<Number>("\"infinite\"").is_err());
        assert!(serde_json::from_str::<Number>("\"NaN\"").expect("a word").0.is_nan());
        assert_eq!(serde_json::from_str::<Number>("3").expect("a whole number"), Number(3.0));
    }

    proptest! {
        #[test]
        fn every_bit_survives(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let read: Number = serde_json::from_str(&json(value)).expect("valid JSON");
            prop_assert!(read.0.to_bits() == bits || (read.0.is_nan() && value.is_nan()));
        }
    }
}
