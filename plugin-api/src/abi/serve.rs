//! The host's side of the interface in miniature, for [`testing`](crate::testing): C tables whose functions end in a
//! safe trait.
//!
//! Knows nothing of networks or arithmetic.

#![allow(unsafe_code)]

use super::guard::{guard, report};
use super::*;
use crate::error::{Error, Result};
use core::{ptr, slice};

/// What the tables' functions end in. Handles, ids and extents arrive unchecked.
pub(crate) trait Serve {
    fn input(&self, role: u32, site: u32, index: u32) -> Result<gw_tensor>;
    fn output(&self, output: u32, site: u32, guess: u32) -> Result<gw_tensor>;
    fn set_seed(&self, site: u32, guess: u32, seed: u64) -> Result;
    fn persistent(&self, index: u32) -> Result<gw_tensor>;
    fn shape(&self, tensor: gw_tensor) -> Result<[u64; 2]>;
    fn reshape(&self, tensor: gw_tensor, shape: [u64; 2]) -> Result<gw_tensor>;
    fn rows(&self, tensor: gw_tensor, start: u64, count: u64) -> Result<gw_tensor>;
    fn data(&self, tensor: gw_tensor) -> Result<DLTensor>;
    fn matmul(&self, dst: gw_tensor, alpha: f64, a: (gw_tensor, bool), b: (gw_tensor, bool), beta: f64) -> Result;
    fn pull_back(&self, site: u32, signals: &[gw_tensor], dst: gw_tensor) -> Result;
    fn unary(&self, op: Unary, dst: gw_tensor, a: gw_tensor) -> Result;
    fn categorical(&self, dst: gw_tensor, probabilities: gw_tensor, key: [u32; 3]) -> Result;
    fn axpy(&self, dst: gw_tensor, alpha: f64, x: gw_tensor) -> Result;
    fn scale(&self, dst: gw_tensor, alpha: f64) -> Result;
    fn dot(&self, a: gw_tensor, b: gw_tensor) -> Result<f64>;
    fn row_dot(&self, dst: gw_tensor, a: gw_tensor, b: gw_tensor) -> Result;
    fn add_row(&self, dst: gw_tensor, alpha: f64, row: gw_tensor) -> Result;
    fn fill(&self, dst: gw_tensor, value: f64) -> Result;
    fn orthonormalise(&self, dst: gw_tensor) -> Result;
    fn svd(&self, a: gw_tensor, usv: [gw_tensor; 3]) -> Result;
    fn random_fill(&self, dst: gw_tensor, kind: u32, scale: f64, key: [u32; 3]) -> Result;
    fn random_draw(&self, kind: u32, key: [u32; 3], start: u64, out: &mut [f64]) -> Result;
    fn loss_at(&self, guess: &[u32], t: &[f64], out: &mut [f64]) -> Result;
    fn jvp(&self, guess: &[u32], out: &mut [f64]) -> Result;
    fn logit_tangent(&self, moved: &[gw_tensor], dst: gw_tensor) -> Result;
    fn metric(&self, name: String, values: &[f64]) -> Result;
    fn log(&self, level: u32, text: String);
    fn cancelled(&self) -> bool;
    fn scratch(&self, rows: u64, columns: u64) -> Result<gw_tensor>;
}

/// Operations with one destination and one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Hadamard,
    KeepNonzero,
    Softmax,
    OneHot,
    RowScale,
    ColumnSum,
    Copy,
}

/// What a `gw_context` points to here.
pub(super) struct Context<'a>(pub(super) &'a dyn Serve);

/// Runs `f` on the services behind `ctx`.
///
/// # Safety
/// `ctx` is null or the context of the call under way; `err` is null or the caller's record.
unsafe fn serve(ctx: *mut gw_context, err: *mut gw_error, f: impl FnOnce(&dyn Serve) -> Result) -> i32 {
    // SAFETY: contexts are made by `Instance` only, from a `Context` that outlives the call.
    let result = match unsafe { ctx.cast::<Context<'_>>().as_ref() } {
        None => Err(Error::invalid("the context is null")),
        Some(context) => guard(|| f(context.0)).unwrap_or_else(|text| Err(Error::new(format!("the host {text}")))),
    };
    match result {
        Ok(()) => GW_OK,
        // SAFETY: the caller's promise.
        Err(error) => unsafe { report(err, &error) },
    }
}

/// Writes a result to the caller's place.
///
/// # Safety
/// `out` is null or writable.
unsafe fn put<T>(out: *mut T, value: T) -> Result {
    if out.is_null() {
        return Err(Error::invalid("the place for the result is null"));
    }
    // SAFETY: the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

/// The caller's array.
///
/// # Safety
/// `data` is null or points to `count` values that nobody writes meanwhile.
pub(super) unsafe fn array<'a, T>(data: *const T, count: u64) -> Result<&'a [T]> {
    match (count, data.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Error::invalid("an array is null")),
        // SAFETY: the caller's promise.
        (count, false) => Ok(unsafe { slice::from_raw_parts(data, count as usize) }),
    }
}

/// The caller's array, to write.
///
/// # Safety
/// `data` is null or points to `count` values that nobody else uses meanwhile.
unsafe fn array_mut<'a, T>(data: *mut T, count: u64) -> Result<&'a mut [T]> {
    match (count, data.is_null()) {
        (0, _) => Ok(&mut []),
        (_, true) => Err(Error::invalid("an array is null")),
        // SAFETY: the caller's promise.
        (count, false) => Ok(unsafe { slice::from_raw_parts_mut(data, count as usize) }),
    }
}

/// Functions of a table: the context first, the error record last, a safe method between.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),* $(,)?) => |$services:ident| $body:expr;)+) => {
        $(unsafe extern "C" fn $name(ctx: *mut gw_context, $($argument: $type,)* err: *mut gw_error) -> i32 {
            // SAFETY: the plugin passes the context and records of the call under way, as the interface demands, and
            // pointers that are null or valid.
            unsafe { serve(ctx, err, |$services| $body) }
        })+
    };
}

functions! {
    input(role: u32, site: u32, index: u32, out: *mut gw_tensor) => |s| put(out, s.input(role, site, index)?);
    output(output: u32, site: u32, guess: u32, out: *mut gw_tensor) => |s| put(out, s.output(output, site, guess)?);
    set_seed(site: u32, guess: u32, seed: u64) => |s| s.set_seed(site, guess, seed);
    persistent(index: u32, out: *mut gw_tensor) => |s| put(out, s.persistent(index)?);
    shape(tensor: gw_tensor, rows: *mut u64, columns: *mut u64) => |s| {
        let shape = s.shape(tensor)?;
        put(rows, shape[0])?;
        put(columns, shape[1])
    };
    reshape(tensor: gw_tensor, rows: u64, columns: u64, out: *mut gw_tensor) => |s| {
        put(out, s.reshape(tensor, [rows, columns])?)
    };
    rows(tensor: gw_tensor, start: u64, count: u64, out: *mut gw_tensor) => |s| put(out, s.rows(tensor, start, count)?);
    data(tensor: gw_tensor, out: *mut DLTensor) => |s| put(out, s.data(tensor)?);
    matmul(dst: gw_tensor, alpha: f64, a: gw_tensor, at: u32, b: gw_tensor, bt: u32, beta: f64) => |s| {
        s.matmul(dst, alpha, (a, at != 0), (b, bt != 0), beta)
    };
    pull_back(site: u32, signals: *const gw_tensor, count: u64, dst: gw_tensor) => |s| {
        s.pull_back(site, array(signals, count)?, dst)
    };
    hadamard(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::Hadamard, dst, a);
    keep_nonzero(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::KeepNonzero, dst, a);
    softmax(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::Softmax, dst, a);
    one_hot(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::OneHot, dst, a);
    row_scale(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::RowScale, dst, a);
    column_sum(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::ColumnSum, dst, a);
    copy(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::Copy, dst, a);
    categorical(dst: gw_tensor, p: gw_tensor, site: u32, guess: u32, draw: u32) => |s| {
        s.categorical(dst, p, [site, guess, draw])
    };
    axpy(dst: gw_tensor, alpha: f64, x: gw_tensor) => |s| s.axpy(dst, alpha, x);
    scale(dst: gw_tensor, alpha: f64) => |s| s.scale(dst, alpha);
    dot(a: gw_tensor, b: gw_tensor, out: *mut f64) => |s| put(out, s.dot(a, b)?);
    row_dot(dst: gw_tensor, a: gw_tensor, b: gw_tensor) => |s| s.row_dot(dst, a, b);
    add_row(dst: gw_tensor, alpha: f64, row: gw_tensor) => |s| s.add_row(dst, alpha, row);
    fill(dst: gw_tensor, value: f64) => |s| s.fill(dst, value);
    orthonormalise(dst: gw_tensor) => |s| s.orthonormalise(dst);
    svd(a: gw_tensor, u: gw_tensor, sigma: gw_tensor, v: gw_tensor) => |s| s.svd(a, [u, sigma, v]);
    random_fill(dst: gw_tensor, kind: u32, scale: f64, site: u32, guess: u32, draw: u32) => |s| {
        s.random_fill(dst, kind, scale, [site, guess, draw])
    };
    random_draw(kind: u32, site: u32, guess: u32, draw: u32, start: u64, out: *mut f64, count: u64) => |s| {
        s.random_draw(kind, [site, guess, draw], start, array_mut(out, count)?)
    };
    loss_at(guess: *const u32, t: *const f64, count: u64, out: *mut f64) => |s| {
        s.loss_at(array(guess, count)?, array(t, count)?, array_mut(out, count)?)
    };
    jvp(guess: *const u32, count: u64, out: *mut f64) => |s| s.jvp(array(guess, count)?, array_mut(out, count)?);
    logit_tangent(moved: *const gw_tensor, count: u64, dst: gw_tensor) => |s| s.logit_tangent(array(moved, count)?, dst);
    matrix(rows: u64, columns: u64, out: *mut gw_tensor) => |s| put(out, s.scratch(rows, columns)?);
}

unsafe extern "C" fn scalar(ctx: *mut gw_context, name: gw_str, value: f64) -> i32 {
    // SAFETY: as in `functions!`.
    unsafe { serve(ctx, ptr::null_mut(), |s| s.metric(name.to_text(), &[value])) }
}

unsafe extern "C" fn series(ctx: *mut gw_context, name: gw_str, values: *const f64, count: u64) -> i32 {
    // SAFETY: as in `functions!`.
    unsafe { serve(ctx, ptr::null_mut(), |s| s.metric(name.to_text(), array(values, count)?)) }
}

unsafe extern "C" fn write_log(ctx: *mut gw_context, level: u32, text: gw_str) -> i32 {
    if ctx.is_null() {
        return GW_OK;
    }
    // SAFETY: as in `functions!`.
    unsafe {
        serve(ctx, ptr::null_mut(), |s| {
            s.log(level, text.to_text());
            Ok(())
        })
    }
}

unsafe extern "C" fn cancelled(ctx: *mut gw_context) -> u32 {
    let mut answer = false;
    // SAFETY: as in `functions!`.
    unsafe {
        serve(ctx, ptr::null_mut(), |s| {
            answer = s.cancelled();
            Ok(())
        })
    };
    answer.into()
}

macro_rules! table {
    ($name:ident: $type:ident { $($field:ident: $function:ident),+ $(,)? }) => {
        static $name: $type = $type { struct_size: size_of::<$type>() as u64, $($field: Some($function)),+ };
    };
}

table!(TENSORS: gw_tensors {
    input: input, output: output, set_seed: set_seed, persistent: persistent, shape: shape, reshape: reshape,
    rows: rows, data: data,
});
table!(OPS: gw_ops {
    matmul: matmul, pull_back: pull_back, hadamard: hadamard, keep_nonzero: keep_nonzero, softmax: softmax,
    one_hot: one_hot, categorical: categorical, axpy: axpy, scale: scale, row_scale: row_scale, dot: dot,
    row_dot: row_dot, column_sum: column_sum, add_row: add_row, copy: copy, fill: fill,
    orthonormalise: orthonormalise, svd: svd,
});
table!(RNG: gw_rng { fill: random_fill, draw: random_draw });
table!(ORACLE: gw_oracle { loss_at: loss_at, jvp: jvp, logit_tangent: logit_tangent });
table!(METRICS: gw_metrics { scalar: scalar, series: series });
table!(LOG: gw_log { write: write_log });
table!(CONTROL: gw_control { cancelled: cancelled });
table!(SCRATCH: gw_scratch { matrix: matrix });

unsafe extern "C" fn find(_: *const gw_host, id: gw_str) -> *const c_void {
    // SAFETY: the plugin passes a valid string.
    match unsafe { id.to_text() }.as_str() {
        GW_EXT_TENSORS => (&raw const TENSORS).cast(),
        GW_EXT_OPS => (&raw const OPS).cast(),
        GW_EXT_RNG => (&raw const RNG).cast(),
        GW_EXT_ORACLE => (&raw const ORACLE).cast(),
        GW_EXT_METRICS => (&raw const METRICS).cast(),
        GW_EXT_LOG => (&raw const LOG).cast(),
        GW_EXT_CONTROL => (&raw const CONTROL).cast(),
        GW_EXT_SCRATCH => (&raw const SCRATCH).cast(),
        _ => ptr::null(),
    }
}

pub(super) struct Host(pub(super) gw_host);

// SAFETY: never written; its functions may be called from any thread.
unsafe impl Sync for Host {}

pub(super) static HOST: Host = Host(gw_host {
    struct_size: size_of::<gw_host>() as u64,
    abi_major: GW_ABI_MAJOR,
    abi_minor: GW_ABI_MINOR,
    name: gw_str::new(concat!("guesswork-plugin testing ", env!("CARGO_PKG_VERSION"))),
    ctx: ptr::null_mut(),
    get_extension: Some(find),
});
