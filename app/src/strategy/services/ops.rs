//! `gw.ops/1`: matrix operations on handles, on whatever device the matrices live.
//!
//! The kernels do the work and check extents; here handles become tensors, read-only and overlapping destinations are
//! refused. A source that is a neighbour of the destination in one storage (guesses are stacked) is taken over scratch,
//! since an operation holds its destination's whole storage.
#![allow(unsafe_code)]

use super::rng::{categorical_key, replaced};
use super::{Problem, Reply, elements, place, serve};
use crate::kernel::{self, Scratch};
use crate::model::{LayerKind, Tape};
use crate::strategy::context::State;
use crate::strategy::draws::DrawKind;
use crate::strategy::handles::{Entry, Overlap};
use candle_core::{Result, Tensor};
use guesswork_plugin::abi::{self, gw_context, gw_error, gw_ops, gw_tensor};

const OPS: super::Needed = Some(abi::GW_SERVICE_OPS);

/// The table.
pub(in crate::strategy) static TABLE: gw_ops = gw_ops {
    struct_size: size_of::<gw_ops>() as u64,
    matmul: Some(matmul),
    pull_back: Some(pull_back),
    hadamard: Some(hadamard),
    keep_nonzero: Some(keep_nonzero),
    softmax: Some(softmax),
    one_hot: Some(one_hot),
    categorical: Some(categorical),
    axpy: Some(axpy),
    scale: Some(scale),
    row_scale: Some(row_scale),
    dot: Some(dot),
    row_dot: Some(row_dot),
    column_sum: Some(column_sum),
    add_row: Some(add_row),
    copy: Some(copy),
    fill: Some(fill),
    orthonormalise: Some(orthonormalise),
    svd: Some(svd),
};

/// A source: the matrix itself, or a copy of it.
pub(super) enum Operand<'s> {
    Own(&'s Tensor),
    Copied(Scratch),
}

impl std::ops::Deref for Operand<'_> {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        match self {
            Self::Own(tensor) => tensor,
            Self::Copied(scratch) => scratch,
        }
    }
}

/// A source of an operation that writes `to`.
#[inline]
pub(super) fn source<'s>(state: &'s State<'_>, to: &Entry, src: gw_tensor) -> Reply<Operand<'s>> {
    let from = state.handles.get(src)?;
    match to.overlap(from) {
        Overlap::Apart => Ok(Operand::Own(&from.tensor)),
        Overlap::Shared => {
            let (to, from) = (state.handles.describe(to.label), state.handles.describe(from.label));
            let text = format!("the destination, the {to}, shares memory with a source, the {from}");
            Err(Problem::invalid(text))
        }
        Overlap::Neighbours => copied(state, from),
    }
}

/// A copy of a source.
#[cold]
fn copied<'s>(state: &'s State<'_>, from: &Entry) -> Reply<Operand<'s>> {
    let (rows, columns) = from.extents;
    let scratch = state.tape.arena().take(rows, columns)?;
    kernel::copy(&scratch, &from.tensor)?;
    Ok(Operand::Copied(scratch))
}

/// Runs a kernel on a destination and its sources; a kernel's refusal is an invalid argument.
unsafe fn run<const N: usize>(
    (ctx, err, name): (*mut gw_context, *mut gw_error, &str),
    dst: gw_tensor,
    srcs: [gw_tensor; N],
    kernel: impl FnOnce(&Tensor, [&Tensor; N]) -> Result<()>,
) -> i32 {
    let service = |state: &mut State<'_>| {
        let to = state.handles.writable(dst)?;
        let mut from = [const { None }; N];
        for (from, src) in from.iter_mut().zip(srcs) {
            *from = Some(source(state, to, src)?);
        }
        let to = &to.tensor;
        // All are there; the destination stands in for what the compiler cannot see.
        let work = || kernel(to, from.each_ref().map(|from| from.as_deref().unwrap_or(to)));
        state.account.kernel(work).map_err(refused)
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, name, OPS, service) }
}

/// A kernel's refusal as an answer to the plugin.
fn refused(error: candle_core::Error) -> Problem {
    Problem::invalid(super::first_line(&error.to_string()))
}

/// A transposition flag.
fn flag(value: u32, name: &str) -> Result<bool> {
    match value {
        0 | 1 => Ok(value == 1),
        other => candle_core::bail!("{name} is {other}, expected 0 or 1"),
    }
}

unsafe extern "C" fn matmul(
    ctx: *mut gw_context,
    dst: gw_tensor,
    alpha: f64,
    a: gw_tensor,
    a_transposed: u32,
    b: gw_tensor,
    b_transposed: u32,
    beta: f64,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        let to = state.handles.writable(dst)?;
        let (a, b) = (source(state, to, a)?, source(state, to, b)?);
        let to = &to.tensor;
        let product = || {
            let (a_flag, b_flag) = (flag(a_transposed, "a_transposed")?, flag(b_transposed, "b_transposed")?);
            kernel::gemm(to, beta, alpha, &a, a_flag, &b, b_flag)?;
            Ok(2 * (to.elem_count() * a.dim(usize::from(!a_flag))?) as u64)
        };
        state.account.count(state.account.kernel(product).map_err(refused)?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "matmul", OPS, service) }
}

unsafe extern "C" fn pull_back(
    ctx: *mut gw_context,
    site: u32,
    signals: *const gw_tensor,
    signals_count: u64,
    dst: gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        if !state.prepared.plan.granted.has(abi::GW_ROLE_WEIGHT) {
            return Err(Problem::not_granted("it reads the weights; name the input weight in the strategy's needs"));
        }
        // SAFETY: the interface: that many handles.
        let handles = unsafe { elements(signals, signals_count, "signals")? };
        let number = site as usize;
        let sites = &state.prepared.sites;
        let Some(view) = sites.get(number) else {
            return Err(Problem::invalid(format!("there is no site {site}; the model has {}", sites.len())));
        };
        let last = [site];
        let expected = if view.following.is_empty() { &last[..] } else { &view.following };
        if handles.len() != expected.len() {
            let (name, count) = (&view.name, expected.len());
            return Err(Problem::invalid(format!("site `{name}` is followed by {count} sites, not {}", handles.len())));
        }
        passable(state, number)?;
        let to = state.handles.writable(dst)?;
        let (rows, width) = to.extents;
        let block = state.tape.batch() * view.rows_per_example;
        if width != view.width || rows == 0 || (rows != block && rows % block != 0) {
            let (name, n) = (&view.name, view.width);
            let text =
                format!("the destination is {rows}×{width}, expected {block}×{n} of site `{name}`, or blocks of that");
            return Err(Problem::invalid(text));
        }
        let stack = if rows == block { 1 } else { rows / block };
        let signal = |handle: gw_tensor, next: u32| {
            let signal = source(state, to, handle)?;
            let next = &sites[next as usize];
            let wanted = (stack * state.tape.batch() * next.rows_per_example, next.width);
            let found = signal.dims2()?;
            if found != wanted {
                let ((m, n), (rows, columns)) = (found, wanted);
                let text = format!("the signal of site `{}` is {m}×{n}, expected {rows}×{columns}", next.name);
                return Err(Problem::invalid(text));
            }
            Ok(signal)
        };
        let pull_back = |from: &[&Tensor]| {
            state.account.kernel(|| state.tape.pull_back(state.theta, number, from, stack, &to.tensor))
        };
        if let (&[handle], &[next]) = (handles, expected) {
            pull_back(&[&*signal(handle, next)?])?;
        } else {
            let pairs = handles.iter().zip(expected);
            let from = pairs.map(|(&handle, &next)| signal(handle, next)).collect::<Reply<Vec<_>>>()?;
            pull_back(&from.iter().map(|signal| &**signal).collect::<Vec<_>>())?;
        }
        state.account.count((stack * state.tape.batch()) as u64 * view.pull_back_flop);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "pull_back", OPS, service) }
}

/// In call mode `layer`, refuses a way back that needs values of this step's forward pass that do not exist yet: masks,
/// largest places and normalised inputs are kept by layers that have not run.
#[inline]
fn passable(state: &State<'_>, site: usize) -> Reply<()> {
    let Some(ready) = state.ready else { return Ok(()) };
    if state.site == Some(site) && state.prepared.clear[site] {
        return Ok(());
    }
    let Some(through) = unmade(state.tape, site, ready) else { return Ok(()) };
    let (name, through) = (&state.prepared.sites[site].name, &state.tape.graph().nodes[through].name);
    let text = format!(
        "the way back to site `{name}` passes `{through}`, whose values of this step do not exist yet; plan call mode model"
    );
    Err(Problem::state(text))
}

/// The first node behind `ready` on the way back to `site` that needs what its forward pass keeps.
pub(in crate::strategy) fn unmade(tape: &Tape, site: usize, ready: usize) -> Option<usize> {
    let graph = tape.graph();
    let mut behind = graph.sites[site].region.iter().copied().filter(|&index| index > ready);
    behind.find(|&index| match graph.nodes[index].layer.kind() {
        LayerKind::Linear | LayerKind::Conv2d | LayerKind::GroupedLinear => false,
        LayerKind::Shape => !tape.saved(index).is_empty(),
        LayerKind::Norm | LayerKind::Activation => true,
    })
}

unsafe extern "C" fn hadamard(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "hadamard"), dst, [a], |dst, [a]| kernel::hadamard_assign(dst, a)) }
}

unsafe extern "C" fn keep_nonzero(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "keep_nonzero"), dst, [a], |dst, [a]| kernel::keep_nonzero(dst, a)) }
}

unsafe extern "C" fn softmax(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "softmax"), dst, [a], |dst, [a]| kernel::softmax(dst, a)) }
}

unsafe extern "C" fn one_hot(ctx: *mut gw_context, dst: gw_tensor, classes: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "one_hot"), dst, [classes], |dst, [classes]| kernel::one_hot(dst, classes)) }
}

unsafe extern "C" fn categorical(
    ctx: *mut gw_context,
    dst: gw_tensor,
    probabilities: gw_tensor,
    site: u32,
    guess: u32,
    draw: u32,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        let to = state.handles.writable(dst)?;
        let from = source(state, to, probabilities)?;
        let to = &to.tensor;
        let key = categorical_key(state, site, guess, draw)?;
        match replaced(state, DrawKind::Categorical, site, guess, draw)? {
            Some(given) => kernel::copy(to, given).map_err(refused),
            None => state.account.kernel(|| kernel::categorical(to, &from, key)).map_err(refused),
        }
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "categorical", OPS, service) }
}

unsafe extern "C" fn axpy(ctx: *mut gw_context, dst: gw_tensor, alpha: f64, x: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "axpy"), dst, [x], |dst, [x]| kernel::axpy(dst, alpha, x)) }
}

unsafe extern "C" fn scale(ctx: *mut gw_context, dst: gw_tensor, alpha: f64, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "scale"), dst, [], |dst, []| kernel::scale(dst, alpha)) }
}

unsafe extern "C" fn row_scale(ctx: *mut gw_context, dst: gw_tensor, factors: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "row_scale"), dst, [factors], |dst, [factors]| kernel::row_scale_assign(dst, factors)) }
}

unsafe extern "C" fn dot(ctx: *mut gw_context, a: gw_tensor, b: gw_tensor, out: *mut f64, err: *mut gw_error) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a number.
        let out = unsafe { place(out)? };
        let (a, b) = (&state.handles.get(a)?.tensor, &state.handles.get(b)?.tensor);
        out.put(state.account.kernel(|| kernel::dot(a, b)).map_err(refused)?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "dot", OPS, service) }
}

unsafe extern "C" fn row_dot(
    ctx: *mut gw_context,
    dst: gw_tensor,
    a: gw_tensor,
    b: gw_tensor,
    err: *mut gw_error,
) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "row_dot"), dst, [a, b], |dst, [a, b]| kernel::row_dot(dst, a, b)) }
}

unsafe extern "C" fn column_sum(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "column_sum"), dst, [a], |dst, [a]| kernel::column_sum(dst, 0.0, 1.0, a)) }
}

unsafe extern "C" fn add_row(
    ctx: *mut gw_context,
    dst: gw_tensor,
    alpha: f64,
    row: gw_tensor,
    err: *mut gw_error,
) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "add_row"), dst, [row], |dst, [row]| kernel::add_row(dst, alpha, row)) }
}

unsafe extern "C" fn copy(ctx: *mut gw_context, dst: gw_tensor, src: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "copy"), dst, [src], |dst, [src]| kernel::copy(dst, src)) }
}

unsafe extern "C" fn fill(ctx: *mut gw_context, dst: gw_tensor, value: f64, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "fill"), dst, [], |dst, []| kernel::fill(dst, value)) }
}

unsafe extern "C" fn orthonormalise(ctx: *mut gw_context, dst: gw_tensor, err: *mut gw_error) -> i32 {
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { run((ctx, err, "orthonormalise"), dst, [], |dst, []| kernel::orthonormalise(dst)) }
}

unsafe extern "C" fn svd(
    ctx: *mut gw_context,
    a: gw_tensor,
    u: gw_tensor,
    s: gw_tensor,
    v: gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        let results = [("u", u), ("s", s), ("v", v)];
        let mut to = Vec::with_capacity(3);
        for (index, &(name, dst)) in results.iter().enumerate() {
            to.push(state.handles.writable(dst)?);
            for (&(other, _), earlier) in results.iter().zip(&to[..index]) {
                if to[index].overlap(earlier) != Overlap::Apart {
                    return Err(Problem::invalid(format!(
                        "{other} and {name} lie in one matrix; take one of scratch for each"
                    )));
                }
            }
        }
        let mut from = source(state, to[0], a)?;
        for to in &to[1..] {
            if to.overlap(state.handles.get(a)?) != Overlap::Apart {
                from = source(state, to, a)?;
            }
        }
        let [u, s, v] = [0, 1, 2].map(|index| &to[index].tensor);
        state.account.kernel(|| kernel::svd(&from, u, s, v)).map_err(refused)
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "svd", OPS, service) }
}
