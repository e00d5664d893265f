//! The services behind the interface's function tables, one file a table.
//!
//! Every function is the same shell: the context is checked, the call under way borrowed, a panic caught, a problem
//! written to the caller's error record with the function's name in front. A table is reachable by everyone; whether the
//! service was granted is checked at each call.
#![allow(unsafe_code)]

pub(super) mod log;
pub(super) mod metrics;
pub(super) mod ops;
pub(super) mod oracle;
pub(super) mod rng;
pub(super) mod scratch;
pub(super) mod tensors;

use super::context::{State, enter};
use super::grants::Services;
use guesswork_plugin::abi::{self, gw_context, gw_error};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a service says no: status, what was wrong and what was expected. To make one is off the usual way, and kept out of it;
/// an answer without one is no longer than a pointer.
#[derive(Debug)]
pub(super) struct Problem(Box<(i32, String)>);

/// What a service answers.
pub(super) type Reply<T> = Result<T, Problem>;

impl Problem {
    fn new(code: i32, text: String) -> Self {
        Self(Box::new((code, text)))
    }

    /// Status.
    pub fn code(&self) -> i32 {
        self.0.0
    }

    /// What was wrong and what was expected.
    pub fn into_text(self) -> String {
        self.0.1
    }

    /// The host cannot do that here.
    #[cold]
    pub fn unsupported(text: impl Into<String>) -> Self {
        Self::new(abi::GW_UNSUPPORTED, text.into())
    }

    /// An argument is null, out of range or of the wrong shape.
    #[cold]
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(abi::GW_INVALID_ARGUMENT, text.into())
    }

    /// Something was not granted.
    #[cold]
    pub fn not_granted(text: impl Into<String>) -> Self {
        Self::new(abi::GW_NOT_GRANTED, text.into())
    }

    /// The call is not allowed now.
    #[cold]
    pub fn state(text: impl Into<String>) -> Self {
        Self::new(abi::GW_WRONG_STATE, text.into())
    }

    /// The budget is used up.
    #[cold]
    pub fn budget(text: impl Into<String>) -> Self {
        Self::new(abi::GW_BUDGET, text.into())
    }

    /// It did not work.
    #[cold]
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(abi::GW_ERROR, text.into())
    }
}

impl From<candle_core::Error> for Problem {
    #[cold]
    fn from(error: candle_core::Error) -> Self {
        Self::failed(first_line(&error.to_string()))
    }
}

/// The first line: Candle's errors may carry a trace of calls below it.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason")
}

/// Which service a function belongs to; `None` for `gw.tensors`, which is always granted.
pub(super) type Needed = Option<u32>;

/// The shell around a service function `name`.
///
/// # Safety
/// `ctx` as in [`enter`]; `err` is null, or leads to a record that is as long as it says.
pub(super) unsafe fn serve(
    ctx: *mut gw_context,
    err: *mut gw_error,
    name: &str,
    needed: Needed,
    service: impl FnOnce(&mut State<'_>) -> Reply<()>,
) -> i32 {
    let guarded = |state: &mut State<'_>| {
        granted(state, needed)?;
        service(state)
    };
    // SAFETY: the caller's promise.
    let run = AssertUnwindSafe(|| unsafe { enter(ctx, guarded) });
    match catch_unwind(run) {
        Ok(Ok(())) => abi::GW_OK,
        // SAFETY: the caller's promise.
        Ok(Err(problem)) => unsafe { refuse(err, name, problem) },
        Err(_) => {
            let problem = Problem::failed("the host panicked; this is a defect of guesswork");
            // SAFETY: the caller's promise.
            unsafe { refuse(err, name, problem) }
        }
    }
}

/// Tells the caller of a problem; returns its status.
#[cold]
unsafe fn refuse(err: *mut gw_error, name: &str, problem: Problem) -> i32 {
    let (code, text) = *problem.0;
    let text = if text.starts_with(name) { text } else { format!("{name}: {text}") };
    // SAFETY: the caller's promise.
    unsafe { report(err, code, &text) };
    code
}

/// Whether the plan uses the service a function belongs to.
#[inline]
pub(super) fn granted(state: &State<'_>, needed: Needed) -> Reply<()> {
    match needed {
        Some(service) if !state.prepared.plan.services.has(service) => Err(ungranted(service)),
        _ => Ok(()),
    }
}

#[cold]
fn ungranted(service: u32) -> Problem {
    let name = Services::name(service);
    Problem::not_granted(format!("gw.{name}/1 was not granted; name it among the strategy's services"))
}

/// Fills the caller's error record, as far as the caller knows it.
unsafe fn report(err: *mut gw_error, code: i32, text: &str) {
    if err.is_null() || !err.is_aligned() {
        return;
    }
    // SAFETY: not null, and begins with its size.
    let size = unsafe { err.cast::<u64>().read() };
    if size >= size_of::<gw_error>() as u64 {
        // SAFETY: the caller's record covers all fields.
        unsafe { (*err).set(code, text) };
    }
}

/// Where a result goes to: memory of the plugin that may hold anything yet.
pub(super) struct Place<T>(*mut T);

/// The place that a result goes to.
///
/// # Safety
/// `out` is null, or leads to writable memory of this type that lives during the service.
#[inline]
pub(super) unsafe fn place<T>(out: *mut T) -> Reply<Place<T>> {
    if out.is_null() || !out.is_aligned() {
        return Err(Problem::invalid("the pointer for the result is null or not aligned"));
    }
    Ok(Place(out))
}

impl<T> Place<T> {
    /// Writes the result.
    pub fn put(self, value: T) {
        // SAFETY: not null, aligned, and writable as `place` was promised.
        unsafe { self.0.write(value) };
    }
}

/// The `count` elements from `first` on.
pub(super) unsafe fn elements<'a, T>(first: *const T, count: u64, what: &str) -> Reply<&'a [T]> {
    const MOST: u64 = 1 << 24;
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() || !first.is_aligned() {
        return Err(Problem::invalid(format!("the pointer to {what} is null or not aligned")));
    }
    if count > MOST {
        return Err(Problem::invalid(format!("{count} {what}; at most {MOST} are taken")));
    }
    // SAFETY: not null and aligned; the caller of the service gives that many elements.
    Ok(unsafe { std::slice::from_raw_parts(first, count as usize) })
}
