//! The error of a strategy: a status code of the interface and a text.

#![forbid(unsafe_code)]

use crate::abi;
use std::fmt;

/// What a strategy returns.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a call failed: a `GW_*` status code and a text for people. The text should name the thing, the place, what was
/// expected and the next step; across the boundary it is cut to 496 bytes at a character boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: i32,
    text: String,
}

impl Error {
    /// A failure of the strategy's own, `GW_ERROR`.
    pub fn new(text: impl Into<String>) -> Self {
        Self::with_code(abi::GW_ERROR, text)
    }

    /// A failure with one of the `GW_*` codes. `GW_OK` becomes `GW_ERROR`: an error is never success.
    pub fn with_code(code: i32, text: impl Into<String>) -> Self {
        Self { code: if code == abi::GW_OK { abi::GW_ERROR } else { code }, text: text.into() }
    }

    /// An argument out of range or of the wrong shape, `GW_INVALID_ARGUMENT`.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::with_code(abi::GW_INVALID_ARGUMENT, text)
    }

    /// A combination that is not supported, `GW_UNSUPPORTED`.
    pub fn unsupported(text: impl Into<String>) -> Self {
        Self::with_code(abi::GW_UNSUPPORTED, text)
    }

    /// The run was cancelled, `GW_CANCELLED`.
    pub fn cancelled() -> Self {
        Self::with_code(abi::GW_CANCELLED, "the run was cancelled")
    }

    /// The status code.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
