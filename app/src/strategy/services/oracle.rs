//! `gw.oracle/1`: losses and directional derivatives, metered in forward equivalents.
#![allow(unsafe_code)]

use super::ops::source;
use super::{Problem, Reply, elements, serve};
use crate::strategy::call::Oracle;
use crate::strategy::context::{Phase, State};
use candle_core::Tensor;
use guesswork_plugin::abi::{self, gw_context, gw_error, gw_oracle, gw_tensor};

/// Forward equivalents of a loss.
const LOSS_COST: f64 = 1.0;
/// Forward equivalents of a directional derivative.
const JVP_COST: f64 = 2.0;

/// Forward equivalents of a tangent beside the forward pass that is done.
const TANGENT_COST: f64 = 1.0;

/// The table.
pub(in crate::strategy) static TABLE: gw_oracle = gw_oracle {
    struct_size: size_of::<gw_oracle>() as u64,
    loss_at: Some(loss_at),
    jvp: Some(jvp),
    logit_tangent: Some(logit_tangent),
};

/// What `count` questions cost together, where the budget of the step covers it.
fn afford(state: &State<'_>, count: usize, cost: f64) -> Reply<f64> {
    let price = cost * count as f64;
    if price > state.oracle_left {
        let left = state.oracle_left;
        let questions = if count == 1 { "question costs" } else { "questions cost" };
        let text = format!("{count} {questions} {price} forward equivalents, {left} are left of this step's budget");
        return Err(Problem::budget(text));
    }
    Ok(price)
}

/// Whether oracles answer now.
fn open(state: &State<'_>) -> Reply<()> {
    match state.phase == Phase::Propose && state.site.is_none() {
        true => Ok(()),
        false => Err(Problem::state("oracles answer during propose in call mode model")),
    }
}

/// Asks `count` questions that cost `cost` each; nothing is asked when the budget does not cover them all.
fn ask(
    state: &mut State<'_>,
    guesses: &[u32],
    cost: f64,
    out: *mut f64,
    mut question: impl FnMut(&mut dyn Oracle, usize, usize) -> candle_core::Result<f64>,
) -> Reply<()> {
    open(state)?;
    let most = state.prepared.guesses;
    if let Some(guess) = guesses.iter().find(|&&guess| guess as usize >= most) {
        return Err(Problem::invalid(format!("there is no guess {guess}; there are {most}")));
    }
    if !guesses.is_empty() && (out.is_null() || !out.is_aligned()) {
        return Err(Problem::invalid("the pointer for the results is null or not aligned"));
    }
    let price = afford(state, guesses.len(), cost)?;
    let Some(oracle) = state.oracle.as_deref_mut() else {
        return Err(Problem::state("this run has no oracle"));
    };
    state.oracle_left -= price;
    for (index, &guess) in guesses.iter().enumerate() {
        let answer = question(oracle, index, guess as usize)?;
        // SAFETY: not null, and the interface: writable memory for that many numbers.
        unsafe { out.add(index).write(answer) };
    }
    Ok(())
}

unsafe extern "C" fn loss_at(
    ctx: *mut gw_context,
    guess: *const u32,
    t: *const f64,
    count: u64,
    out: *mut f64,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: that many guesses and step lengths.
        let (guesses, t) = unsafe { (elements(guess, count, "guesses")?, elements(t, count, "step lengths")?) };
        ask(state, guesses, LOSS_COST, out, |oracle, index, guess| oracle.loss_at(guess, t[index]))
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "loss_at", Some(abi::GW_SERVICE_ORACLE), service) }
}

unsafe extern "C" fn jvp(
    ctx: *mut gw_context,
    guess: *const u32,
    count: u64,
    out: *mut f64,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: that many guesses.
        let guesses = unsafe { elements(guess, count, "guesses")? };
        ask(state, guesses, JVP_COST, out, |oracle, _, guess| oracle.jvp(guess))
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "jvp", Some(abi::GW_SERVICE_ORACLE), service) }
}

unsafe extern "C" fn logit_tangent(
    ctx: *mut gw_context,
    moved: *const gw_tensor,
    count: u64,
    dst: gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: that many handles.
        let price = push(state, unsafe { elements(moved, count, "handles")? }, dst)?;
        state.oracle_left -= price;
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "logit_tangent", Some(abi::GW_SERVICE_ORACLE), service) }
}

/// Follows movements of the activations to the logits; what that costs.
fn push(state: &State<'_>, moved: &[gw_tensor], dst: gw_tensor) -> Reply<f64> {
    open(state)?;
    let sites = &state.prepared.sites;
    if moved.len() != sites.len() {
        let (found, sites) = (moved.len(), sites.len());
        return Err(Problem::invalid(format!("{found} handles; a handle for each of {sites} sites is expected")));
    }
    let to = state.handles.writable(dst)?;
    let ((rows, columns), (m, n)) = (to.extents, state.tape.logits().dims2()?);
    if (rows, columns) != (m, n) {
        return Err(Problem::invalid(format!("the destination is {rows}×{columns}, expected {m}×{n} as the logits")));
    }
    let mut from = Vec::with_capacity(moved.len());
    for (&handle, view) in moved.iter().zip(sites.iter()) {
        if handle == abi::GW_NO_TENSOR {
            from.push(None);
            continue;
        }
        let movement = source(state, to, handle)?;
        let ((m, n), rows) = (movement.dims2()?, state.tape.batch() * view.rows_per_example);
        if (m, n) != (rows, view.width) {
            let (name, columns) = (&view.name, view.width);
            return Err(Problem::invalid(format!("what moves site `{name}` is {m}×{n}, expected {rows}×{columns}")));
        }
        from.push(Some(movement));
    }
    let price = afford(state, 1, TANGENT_COST)?;
    let from: Vec<Option<&Tensor>> = from.iter().map(Option::as_deref).collect();
    state.account.kernel(|| state.tape.logit_tangent(state.theta, &from, &to.tensor))?;
    state.account.count(state.prepared.tangent_flop);
    Ok(price)
}
