//! `gw.oracle/1`: losses and directional derivatives, metered in forward equivalents.
#![allow(unsafe_code)]

use super::{Problem, Reply, elements, serve};
use crate::strategy::call::Oracle;
use crate::strategy::context::{Phase, State};
use guesswork_plugin::abi::{self, gw_context, gw_error, gw_oracle};

/// Forward equivalents of a loss.
const LOSS_COST: f64 = 1.0;
/// Forward equivalents of a directional derivative.
const JVP_COST: f64 = 2.0;

/// The table.
pub(in crate::strategy) static TABLE: gw_oracle =
    gw_oracle { struct_size: size_of::<gw_oracle>() as u64, loss_at: Some(loss_at), jvp: Some(jvp) };

/// Asks `count` questions that cost `cost` each; nothing is asked when the budget does not cover them all.
fn ask(
    state: &mut State<'_>,
    guesses: &[u32],
    cost: f64,
    out: *mut f64,
    mut question: impl FnMut(&mut dyn Oracle, usize, usize) -> candle_core::Result<f64>,
) -> Reply<()> {
    if state.phase != Phase::Propose || state.site.is_some() {
        return Err(Problem::state("oracles answer during propose in call mode model"));
    }
    let most = state.prepared.guesses;
    if let Some(guess) = guesses.iter().find(|&&guess| guess as usize >= most) {
        return Err(Problem::invalid(format!("there is no guess {guess}; there are {most}")));
    }
    if !guesses.is_empty() && (out.is_null() || !out.is_aligned()) {
        return Err(Problem::invalid("the pointer for the results is null or not aligned"));
    }
    let price = cost * guesses.len() as f64;
    if price > state.oracle_left {
        let (left, count) = (state.oracle_left, guesses.len());
        let text = format!("{count} questions cost {price} forward equivalents, {left} are left of this step's budget");
        return Err(Problem::budget(text));
    }
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
