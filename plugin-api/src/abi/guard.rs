//! What stands between a panic and C: every entry runs behind [`guard`], every failure ends in the caller's record.

#![allow(unsafe_code)]

use super::call::covered;
use super::*;
use crate::error::{Error, Result};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// Where a thread is: outside guarded calls; inside of one; inside of one in which there was a panic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Inside,
    Panicked,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Outside) };
    /// The text of the panic, where there was one.
    static TEXT: Cell<String> = const { Cell::new(String::new()) };
}

/// Takes note of where a panic inside a guarded call happened, and keeps it off the screen; others go their usual way.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if PLACE.get() == Place::Outside {
                return usual(info);
            }
            let payload = info.payload();
            let payload = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
                (Some(text), _) => text,
                (None, Some(text)) => text.as_str(),
                (None, None) => "a value that is no text",
            };
            let text = match info.location() {
                Some(at) => format!("panicked at {}:{}:{}: {payload}", at.file(), at.line(), at.column()),
                None => format!("panicked: {payload}"),
            };
            // A thread that is ending has no place for the text any more: the panic is told of without it.
            if TEXT.try_with(|place| place.set(text)).is_ok() {
                PLACE.set(Place::Panicked);
            }
        }));
    });
}

/// Runs `f`; a panic becomes its text.
pub(super) fn guard<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    note_panics();
    let outer = PLACE.replace(Place::Inside);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    let inner = PLACE.replace(outer);
    result.map_err(|payload| {
        // Dropping a payload may panic in its turn.
        std::mem::forget(payload);
        let text = if inner == Place::Panicked { TEXT.take() } else { String::new() };
        if text.is_empty() { "panicked".to_owned() } else { text }
    })
}

/// Writes a failure to the caller's record, as far as it goes.
///
/// # Safety
/// `out` is null or points to a record as long as its `struct_size` says.
pub(super) unsafe fn report(out: *mut gw_error, error: &Error) -> i32 {
    // SAFETY: the caller's promise; every field is written only when the record covers it.
    unsafe {
        if covered!(out, gw_error, text).is_some() {
            let mut whole = gw_error::empty();
            whole.set(error.code(), error.text());
            (*out).code = whole.code;
            (*out).length = whole.length;
            (*out).text = whole.text;
        } else if covered!(out, gw_error, code).is_some() {
            (*out).code = error.code();
        }
    }
    error.code()
}
