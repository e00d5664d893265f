//! `gw.scratch/1`: matrices for the call's own use, from the tape's store.
#![allow(unsafe_code)]

use super::{Problem, place, serve};
use crate::strategy::context::{State, with_events};
use crate::strategy::events::Level;
use crate::strategy::handles::Label;
use crate::strategy::plan::LARGEST;
use guesswork_plugin::abi::{self, gw_context, gw_error, gw_scratch, gw_tensor};

/// The table.
pub(in crate::strategy) static TABLE: gw_scratch =
    gw_scratch { struct_size: size_of::<gw_scratch>() as u64, matrix: Some(matrix) };

unsafe extern "C" fn matrix(
    ctx: *mut gw_context,
    rows: u64,
    columns: u64,
    out: *mut gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a handle.
        let out = unsafe { place(out)? };
        let Some(count) = rows.checked_mul(columns).filter(|count| (1..=LARGEST).contains(count)) else {
            return Err(Problem::invalid(format!(
                "a scratch matrix of {rows}×{columns}; expected 1 to {LARGEST} elements"
            )));
        };
        let (before, planned) = (state.scratch.elements(), state.prepared.plan.scratch);
        let scratch = state.scratch.take(state.tape.arena(), rows as usize, columns as usize)?;
        out.put(state.handles.add(scratch, true, Label::Scratch)?);
        let taken = before + count as usize;
        if planned > 0 && before <= planned && taken > planned {
            let text = format!("{taken} elements of scratch were taken, the plan has {planned}");
            with_events(state.events, |events| events.message(Level::Debug, text));
        }
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "matrix", Some(abi::GW_SERVICE_SCRATCH), service) }
}
