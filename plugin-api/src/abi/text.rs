//! Text across the interface: strings, and the record that a failure is described in.

#![allow(unsafe_code)]

use super::{GW_OK, gw_error, gw_str};
use core::{ptr, slice};

impl gw_str {
    /// The string as the interface sees it; lives as long as `text`.
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() as u64 }
    }

    /// The empty string.
    pub const EMPTY: Self = Self { ptr: ptr::null(), len: 0 };

    /// A copy of the text, with invalid UTF-8 replaced.
    ///
    /// # Safety
    /// `ptr` points to `len` readable bytes, or is null.
    pub unsafe fn to_text(self) -> String {
        if self.ptr.is_null() || self.len == 0 {
            return String::new();
        }
        // SAFETY: the caller's promise.
        String::from_utf8_lossy(unsafe { slice::from_raw_parts(self.ptr, self.len as usize) }).into_owned()
    }
}

impl gw_error {
    /// A record for a callee to fill.
    pub const fn empty() -> Self {
        Self { struct_size: size_of::<Self>() as u64, code: GW_OK, length: 0, text: [0; 496] }
    }

    /// Makes the record ready for another callee. Old text stays beyond the length, where nobody reads it.
    pub fn clear(&mut self) {
        self.struct_size = size_of::<Self>() as u64;
        self.code = GW_OK;
        self.length = 0;
    }

    /// The text, with what is not UTF-8 replaced.
    pub fn to_text(&self) -> String {
        let length = (self.length as usize).min(self.text.len());
        String::from_utf8_lossy(&self.text[..length]).into_owned()
    }

    /// Fills the record; the text is cut at a character boundary when it does not fit.
    pub fn set(&mut self, code: i32, text: &str) {
        let mut length = text.len().min(self.text.len());
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.code = code;
        self.length = length as u32;
        self.text[..length].copy_from_slice(&text.as_bytes()[..length]);
    }
}

impl core::fmt::Debug for gw_error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("gw_error").field("code", &self.code).field("text", &self.to_text()).finish_non_exhaustive()
    }
}
