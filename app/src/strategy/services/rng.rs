//! `gw.rng/1`: keyed draws, by the lane's seed and instance and the step.
#![allow(unsafe_code)]

use super::{Problem, Reply, serve};
use crate::kernel::{self, Draw, DrawKey};
use crate::strategy::context::State;
use crate::strategy::draws::{DrawKind, DrawPlace, Draws};
use candle_core::{DType, Tensor};
use guesswork_plugin::abi::{self, gw_context, gw_error, gw_rng, gw_tensor};

/// What `GW_ALL_SITES` counts as in a key.
const ALL_SITES: u32 = 0xffff;
/// Most numbers of one `draw`.
const MOST: u64 = 1 << 32;

/// The table.
pub(in crate::strategy) static TABLE: gw_rng =
    gw_rng { struct_size: size_of::<gw_rng>() as u64, fill: Some(fill), draw: Some(draw) };

fn kind_of(kind: u32) -> Reply<(Draw, DrawKind)> {
    match kind {
        abi::GW_DRAW_NORMAL => Ok((Draw::Normal, DrawKind::Normal)),
        abi::GW_DRAW_UNIFORM => Ok((Draw::Uniform, DrawKind::Uniform)),
        abi::GW_DRAW_RADEMACHER => Ok((Draw::Rademacher, DrawKind::Rademacher)),
        other => Err(Problem::invalid(format!("{other} is no kind of draw; there are GW_DRAW_*"))),
    }
}

/// The key of a draw of this step.
#[inline]
fn key(state: &State<'_>, site: u32, guess: u32, draw: u32) -> Reply<DrawKey> {
    let guess = guess.saturating_add(state.first_guess);
    let number = if site == abi::GW_ALL_SITES { ALL_SITES } else { site };
    if number > ALL_SITES || (number == ALL_SITES && site != abi::GW_ALL_SITES) || guess.max(draw) > 0xffff {
        return Err(beyond(site, guess, draw));
    }
    let (seed, instance, step) = (state.prepared.seed, state.prepared.instance, state.step);
    Ok(DrawKey { seed, instance, step, site: number, guess, draw })
}

/// Which number of a draw's place is beyond any key.
#[cold]
fn beyond(site: u32, guess: u32, draw: u32) -> Problem {
    let (name, value) = if guess > 0xffff { ("guess", guess) } else { ("draw", draw) };
    Problem::invalid(match value > 0xffff {
        true => format!("{name} is {value}, expected less than 65536"),
        false => format!("site is {site}, expected less than {ALL_SITES} or GW_ALL_SITES"),
    })
}

/// The key of a categorical draw.
pub(super) fn categorical_key(state: &State<'_>, site: u32, guess: u32, draw: u32) -> Reply<DrawKey> {
    key(state, site, guess, draw)
}

/// The matrix that a test put in place of a draw; `None` when draws are not replaced.
#[inline]
pub(super) fn replaced<'a>(
    state: &State<'a>,
    kind: DrawKind,
    site: u32,
    guess: u32,
    draw: u32,
) -> Reply<Option<&'a Tensor>> {
    match state.draws {
        None => Ok(None),
        Some(draws) => given(draws, DrawPlace { kind, site, guess: guess + state.first_guess, draw }),
    }
}

#[cold]
fn given(draws: &Draws, place: DrawPlace) -> Reply<Option<&Tensor>> {
    let DrawPlace { kind, site, guess, draw } = place;
    match draws.get(&place) {
        Some(tensor) => Ok(Some(tensor)),
        None => Err(Problem::failed(format!(
            "draws are replaced, but not {kind:?} of site {site}, guess {guess}, draw {draw}"
        ))),
    }
}

unsafe extern "C" fn fill(
    ctx: *mut gw_context,
    dst: gw_tensor,
    kind: u32,
    scale: f64,
    site: u32,
    guess: u32,
    draw: u32,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        let to = &state.handles.writable(dst)?.tensor;
        let (kind, name) = kind_of(kind)?;
        let key = key(state, site, guess, draw)?;
        match replaced(state, name, site, guess, draw)? {
            Some(given) => Ok(kernel::copy(to, given).and_then(|()| kernel::scale(to, scale))?),
            None => Ok(state.account.kernel(|| kernel::fill_draws(to, kind, scale, key))?),
        }
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "fill", Some(abi::GW_SERVICE_RNG), service) }
}

unsafe extern "C" fn draw(
    ctx: *mut gw_context,
    kind: u32,
    site: u32,
    guess: u32,
    draw: u32,
    start: u64,
    out: *mut f64,
    count: u64,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        if count == 0 {
            return Ok(());
        }
        if out.is_null() || !out.is_aligned() || count > MOST || start.checked_add(count).is_none() {
            return Err(Problem::invalid(format!(
                "the pointer for {count} draws is null, not aligned, or they are too many"
            )));
        }
        let (kind, name) = kind_of(kind)?;
        let key = key(state, site, guess, draw)?;
        // SAFETY: the interface: writable memory for `count` numbers of the plugin's own; zeros make it initialised.
        let out = unsafe {
            std::ptr::write_bytes(out, 0, count as usize);
            std::slice::from_raw_parts_mut(out, count as usize)
        };
        match replaced(state, name, site, guess, draw)? {
            Some(given) => {
                let values = given.flatten_all()?.narrow(0, start as usize, count as usize)?;
                out.copy_from_slice(&values.to_dtype(DType::F64)?.to_vec1::<f64>()?);
            }
            None => state.account.kernel(|| kernel::draws(kind, key, start, out)),
        }
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "draw", Some(abi::GW_SERVICE_RNG), service) }
}
