//! The error of a strategy: a status code of the interface and a text.

#![forbid(unsafe_code)]

use crate::abi;
use std::fmt;

/// What a strategy returns.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a call failed: a `GW_*` status code and a text for people. The text should name the thing, the place, what was
/// expected and the next step; across the boundary it is cut to 496 bytes at a character boundary.
///
/// As large as a pointer, so that results which are not errors pass in registers.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Content>);

#[derive(Clone, PartialEq, Eq)]
struct Content {
    code: i32,
    text: String,
}

impl Error {
    /// A failure of the strategy's own, `GW_ERROR`.
    pub fn new(text: impl Into<String>) -> Self {
        Self::with_code(abi::GW_ERROR, text)
    }

    /// A failure with one of the `GW_*` codes. `GW_OK` becomes `GW_ERROR`: an error is never success.
    #[cold]
    pub fn with_code(code: i32, text: impl Into<String>) -> Self {
        Self(Box::new(Content { code: if code == abi::GW_OK { abi::GW_ERROR } else { code }, text: text.into() }))
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
        self.0.code
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("code", &self.code()).field("text", &self.text()).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
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
