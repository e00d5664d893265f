//! The schema of a strategy's parameters.

#![forbid(unsafe_code)]

use crate::abi;

/// One parameter: the host makes editors, sweeps, command-line help and validation from it.
///
/// ```
/// use guesswork_plugin::Param;
/// const PARAMS: &[Param] = &[
///     Param::int("depth", 1).range(1, 64).doc("Layers a signal is carried down."),
///     Param::float("noise", 1.0).bounds(0.0, f64::INFINITY).doc("Deviation of the noise."),
///     Param::choice("mask", &["none", "derivative"], "derivative").doc("What a guess is multiplied by."),
/// ];
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub(crate) key: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) kind: u32,
    pub(crate) int: i64,
    pub(crate) float: f64,
    pub(crate) text: &'static str,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) choices: &'static [&'static str],
}

impl Param {
    const fn new(key: &'static str, kind: u32) -> Self {
        let (min, max) = (f64::NEG_INFINITY, f64::INFINITY);
        Self { key, doc: "", kind, int: 0, float: 0.0, text: "", min, max, choices: &[] }
    }

    /// A whole number.
    pub const fn int(key: &'static str, default: i64) -> Self {
        Self { int: default, ..Self::new(key, abi::GW_PARAM_INT) }
    }

    /// A number.
    pub const fn float(key: &'static str, default: f64) -> Self {
        Self { float: default, ..Self::new(key, abi::GW_PARAM_FLOAT) }
    }

    /// True or false.
    pub const fn bool(key: &'static str, default: bool) -> Self {
        Self { int: default as i64, ..Self::new(key, abi::GW_PARAM_BOOL) }
    }

    /// Free text.
    pub const fn text(key: &'static str, default: &'static str) -> Self {
        Self { text: default, ..Self::new(key, abi::GW_PARAM_TEXT) }
    }

    /// One of some words; it becomes a unit variant of an enum in the typed parameters.
    ///
    /// # Panics
    /// At compile time, when the default is not among the choices.
    pub const fn choice(key: &'static str, choices: &'static [&'static str], default: &'static str) -> Self {
        let (mut found, mut i) = (false, 0);
        while i < choices.len() {
            found |= equal(choices[i].as_bytes(), default.as_bytes());
            i += 1;
        }
        assert!(found, "the default of a choice must be among its choices");
        Self { text: default, choices, ..Self::new(key, abi::GW_PARAM_CHOICE) }
    }

    /// Smallest and largest whole number, both allowed.
    ///
    /// # Panics
    /// At compile time, when the default lies outside, or the parameter is not a whole number.
    pub const fn range(mut self, min: i64, max: i64) -> Self {
        assert!(self.kind == abi::GW_PARAM_INT, "`range` is for whole numbers; use `bounds`");
        assert!(min <= self.int && self.int <= max, "the default must lie in the range");
        self.min = min as f64;
        self.max = max as f64;
        self
    }

    /// Smallest and largest number, both allowed; infinite for none.
    ///
    /// # Panics
    /// At compile time, when the default lies outside, or the parameter is not a float.
    pub const fn bounds(mut self, min: f64, max: f64) -> Self {
        assert!(self.kind == abi::GW_PARAM_FLOAT, "`bounds` is for floats; use `range`");
        assert!(min <= self.float && self.float <= max, "the default must lie in the bounds");
        self.min = min;
        self.max = max;
        self
    }

    /// One sentence: what it does, its unit.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
