//! `gw.metrics/1`: named numbers and small series into the run, as data.
#![allow(unsafe_code)]

use super::{Problem, elements, serve};
use crate::strategy::context::{State, with_events};
use crate::strategy::events::SERIES;
use crate::strategy::read::string;
use guesswork_plugin::abi::{self, gw_context, gw_metrics, gw_str};
use std::ptr;

/// Longest name, in bytes.
const NAME: usize = 128;

/// The table.
pub(in crate::strategy) static TABLE: gw_metrics =
    gw_metrics { struct_size: size_of::<gw_metrics>() as u64, scalar: Some(scalar), series: Some(series) };

unsafe fn keep(ctx: *mut gw_context, name: gw_str, values: *const f64, count: u64) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: a string.
        let name = unsafe { string(name, "the name") }.map_err(|refusal| Problem::invalid(refusal.to_string()))?;
        if name.is_empty() || name.len() > NAME || count > SERIES {
            return Err(Problem::invalid("the name is empty or long, or the series longer than 4096"));
        }
        // SAFETY: the interface: that many numbers.
        let values = unsafe { elements(values, count, "values")? }.to_vec();
        with_events(state.events, |events| events.metric(name, values));
        Ok(())
    };
    // SAFETY: the plugin passes its call's context.
    unsafe { serve(ctx, ptr::null_mut(), "metric", Some(abi::GW_SERVICE_METRICS), service) }
}

unsafe extern "C" fn scalar(ctx: *mut gw_context, name: gw_str, value: f64) -> i32 {
    // SAFETY: as the interface says; the value lives during the call.
    unsafe { keep(ctx, name, &value, 1) }
}

unsafe extern "C" fn series(ctx: *mut gw_context, name: gw_str, values: *const f64, count: u64) -> i32 {
    // SAFETY: as the interface says.
    unsafe { keep(ctx, name, values, count) }
}
