//! Whether a strategy and a run go together, before anything is trained.
#![forbid(unsafe_code)]

use super::info::{Kind, StrategyInfo};
use super::prepare::RunFacts;
use crate::model::Tape;
use crate::workspace::Scope;
use candle_core::{DType, Device};
use guesswork_plugin::abi;

/// `GW_*` of the tape's data type and device, when the strategy supports them.
pub(super) fn target(info: &StrategyInfo, tape: &Tape) -> Result<(u32, u32), String> {
    let dtype = match tape.dtype() {
        DType::F32 => abi::GW_F32,
        DType::F64 => abi::GW_F64,
        other => return Err(format!("the data type {other:?} has no place in the plugin interface")),
    };
    let (device, name) = match tape.device() {
        Device::Cpu => (abi::GW_CPU, "cpu"),
        Device::Cuda(_) => (abi::GW_CUDA, "cuda"),
        Device::Metal(_) => (abi::GW_METAL, "metal"),
    };
    if info.dtypes >> dtype & 1 == 0 {
        let (wanted, there) = (tape.dtype().as_str(), info.dtype_names().join(", "));
        return Err(format!("it does not run in {wanted}, only in {there}; set `precision` accordingly"));
    }
    if info.devices >> device & 1 == 0 {
        let there = info.device_names().join(", ");
        return Err(format!("it does not run on {name}, only on {there}; choose another with --device"));
    }
    Ok((dtype, device))
}

/// Refuses combinations without meaning.
pub(super) fn sensible(info: &StrategyInfo, run: &RunFacts) -> Result<(), String> {
    if run.guesses == 0 || run.guesses > 0xffff {
        return Err(format!("guesses is {}, expected 1 to 65535", run.guesses));
    }
    match info.kind {
        Kind::Weight if matches!(run.scope, Scope::Example | Scope::ExampleLayer) => {
            Err("it writes weight directions, which have one scalar a batch or layer; set scope to batch or layer"
                .into())
        }
        Kind::Estimate if run.guesses > 1 => Err(format!(
            "it writes the estimate itself, so that {} guesses have no meaning; set guesses to 1",
            run.guesses
        )),
        Kind::Search => {
            Err("it is a search strategy, and this version runs signal, weight and estimate strategies".into())
        }
        _ => Ok(()),
    }
}
