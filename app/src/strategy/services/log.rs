//! `gw.log/1` and `gw.control/1`: messages from any thread, with or without a call under way; whether the run is to end.
#![allow(unsafe_code)]

use super::{Problem, Reply};
use crate::strategy::context::{context, with_events};
use crate::strategy::events::{Level, outside};
use crate::strategy::read::string;
use guesswork_plugin::abi::{self, gw_context, gw_control, gw_log, gw_str};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The table of `gw.log`.
pub(in crate::strategy) static LOG: gw_log = gw_log { struct_size: size_of::<gw_log>() as u64, write: Some(write) };

/// The table of `gw.control`.
pub(in crate::strategy) static CONTROL: gw_control =
    gw_control { struct_size: size_of::<gw_control>() as u64, cancelled: Some(cancelled) };

unsafe extern "C" fn write(ctx: *mut gw_context, level: u32, text: gw_str) -> i32 {
    let keep = || -> Reply<()> {
        let level = match level {
            abi::GW_LOG_ERROR => Level::Error,
            abi::GW_LOG_WARN => Level::Warn,
            abi::GW_LOG_INFO => Level::Info,
            abi::GW_LOG_DEBUG => Level::Debug,
            other => return Err(Problem::invalid(format!("{other} is no level"))),
        };
        // SAFETY: the interface: a string.
        let text = unsafe { string(text, "the text") }.map_err(|refusal| Problem::invalid(refusal.to_string()))?;
        if ctx.is_null() {
            outside(level, text);
        } else {
            // SAFETY: the plugin passes its call's context.
            let context = unsafe { context(ctx)? };
            with_events(&context.events, |events| events.message(level, text));
        }
        Ok(())
    };
    match catch_unwind(AssertUnwindSafe(keep)) {
        Ok(Ok(())) => abi::GW_OK,
        Ok(Err(problem)) => problem.code(),
        Err(_) => abi::GW_ERROR,
    }
}

unsafe extern "C" fn cancelled(ctx: *mut gw_context) -> u32 {
    // SAFETY: the plugin passes its call's context; without one nothing is cancelled.
    match unsafe { context(ctx) } {
        Ok(context) => u32::from(context.cancelled()),
        Err(_) => 0,
    }
}
