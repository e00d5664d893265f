//! A value of a swept or tuned field, kept as it was written: `0.1`, `example_layer`, `sgd(lr: 0.1)`.
//!
//! What type it must have depends on the field its axis names, which is only known when it is applied.

use ron::value::RawValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::fmt::{Display, Formatter};

/// RON text of one value, without blanks around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AxisValue(String);

impl AxisValue {
    /// From RON text.
    ///
    /// # Errors
    /// When it is not one RON value.
    pub fn new(text: &str) -> Result<Self, ron::error::SpannedError> {
        RawValue::from_ron(text).map(|value| Self(value.trim().get_ron().to_string()))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Display for AxisValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for AxisValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_ron(&self.0).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AxisValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Box::<RawValue>::deserialize(deserializer)?;
        Self::new(value.get_ron()).map_err(de::Error::custom)
    }
}
