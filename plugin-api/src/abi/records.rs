//! Reading the host's records and writing the plan: field by field, as far as a record covers them.

#![allow(unsafe_code)]

use super::call::{Call, Tables, covered};
use super::*;
use crate::error::{Error, Result};
use crate::model::{CallMode, Direction, Model, Plan, SignalAt, Site};
use crate::step::{Facts, Given, Step};
use crate::values::Value;
use std::cell::RefCell;
use std::mem::offset_of;
use std::slice;

/// What a plan's record points to, kept until the next `prepare`.
#[derive(Default)]
pub(super) struct Kept {
    names: Vec<String>,
    persistent: Vec<gw_persistent>,
}

// SAFETY: the records point into `names`, which moves with them and is not changed while they are.
unsafe impl Send for Kept {}

pub(super) fn short(record: &str) -> Error {
    Error::invalid(format!("the {record} record is null or too short"))
}

/// # Safety
/// `params` is null or a valid record.
pub(super) unsafe fn read_params(params: *const gw_params) -> Result<Vec<(String, Value)>> {
    // SAFETY: the caller's promise; the array has `count` records, `stride` bytes apart.
    unsafe {
        let Some(count) = covered!(params, gw_params, count) else { return Ok(Vec::new()) };
        if count == 0 {
            return Ok(Vec::new());
        }
        let (Some(values), Some(stride)) = (covered!(params, gw_params, values), covered!(params, gw_params, stride))
        else {
            return Err(short("gw_params"));
        };
        (0..count as usize)
            .map(|index| {
                let value = values.byte_add(index * stride as usize);
                let (Some(key), Some(kind)) = (covered!(value, gw_param, key), covered!(value, gw_param, kind)) else {
                    return Err(short("gw_param"));
                };
                let key = key.to_text();
                let value = match kind {
                    GW_PARAM_INT => covered!(value, gw_param, i).map(Value::Int),
                    GW_PARAM_BOOL => covered!(value, gw_param, i).map(|i| Value::Bool(i != 0)),
                    GW_PARAM_FLOAT => covered!(value, gw_param, f).map(Value::Float),
                    GW_PARAM_CHOICE | GW_PARAM_TEXT => covered!(value, gw_param, s).map(|s| Value::Text(s.to_text())),
                    other => return Err(Error::unsupported(format!("parameter `{key}` has the unknown type {other}"))),
                };
                value.map(|value| (key, value)).ok_or_else(|| short("gw_param"))
            })
            .collect()
    }
}

/// # Safety
/// `model` is null or a valid record.
pub(super) unsafe fn read_model(model: *const gw_model) -> Result<Model> {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(instance) = covered!(model, gw_model, instance) else { return Err(short("gw_model")) };
        let model = &raw const *model;
        let count = (*model).site_count as usize;
        if (*model).sites.is_null() && count > 0 {
            return Err(short("gw_site"));
        }
        let sites = (0..count).map(|index| read_site((*model).sites.byte_add(index * (*model).site_stride as usize)));
        Ok(Model {
            sites: sites.collect::<Result<_>>()?,
            batch: (*model).batch as usize,
            classes: (*model).classes as usize,
            dtype: (*model).dtype.into(),
            device: (*model).device.into(),
            scope: (*model).scope.into(),
            guesses: (*model).guesses as usize,
            seed: (*model).seed,
            instance,
            granted: (*model).granted,
            services: (*model).services,
        })
    }
}

/// # Safety
/// `site` is null or a valid record.
unsafe fn read_site(site: *const gw_site) -> Result<Site> {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(count) = covered!(site, gw_site, following_count) else { return Err(short("gw_site")) };
        let following = match count {
            0 => &[],
            _ if (*site).following.is_null() => return Err(short("gw_site.following")),
            _ => slice::from_raw_parts((*site).following, count as usize),
        };
        Ok(Site {
            name: (*site).name.to_text(),
            layer: (*site).layer.into(),
            activated: (*site).activated != 0,
            width: (*site).width as usize,
            rows_per_example: (*site).rows_per_example as usize,
            weight: [(*site).weight_rows as usize, (*site).weight_columns as usize],
            has_bias: (*site).has_bias != 0,
            following: following.iter().map(|&next| next as usize).collect(),
        })
    }
}

/// Writes `wanted` to the host's record; what the record points to is kept in `kept`.
///
/// # Safety
/// `out` is null or a valid record.
pub(super) unsafe fn write_plan(wanted: &Plan, out: *mut gw_plan, kept: &mut Kept) -> Result {
    let (direction, rank) = match wanted.direction {
        Direction::Dense => (GW_DIRECTION_DENSE, 1),
        Direction::Factors { rank } => (GW_DIRECTION_FACTORS, rank as u32),
        Direction::Seed => (GW_DIRECTION_SEED, 1),
    };
    kept.persistent.clear();
    kept.names = wanted.persistent.iter().map(|matrix| matrix.name.clone()).collect();
    kept.persistent.extend(wanted.persistent.iter().zip(&kept.names).map(|(matrix, name)| gw_persistent {
        struct_size: size_of::<gw_persistent>() as u64,
        name: gw_str::new(name),
        rows: matrix.rows as u64,
        columns: matrix.columns as u64,
    }));
    // SAFETY: the caller's promise; all fields of 1.0 are covered when the last of them is.
    unsafe {
        if covered!(out, gw_plan, services).is_none() {
            return Err(short("gw_plan"));
        }
        (*out).call_mode = match wanted.call_mode {
            CallMode::Layer => GW_CALL_LAYER,
            CallMode::Model => GW_CALL_MODEL,
        };
        (*out).signal_at = match wanted.signal_at {
            SignalAt::PreActivation => GW_AT_PRE_ACTIVATION,
            SignalAt::Activation => GW_AT_ACTIVATION,
        };
        (*out).direction = direction;
        (*out).rank = rank;
        (*out).flags = if wanted.independent { GW_PLAN_INDEPENDENT } else { 0 };
        (*out).scratch = wanted.scratch as u64;
        (*out).persistent = kept.persistent.as_ptr();
        (*out).persistent_count = kept.persistent.len() as u64;
        (*out).persistent_stride = size_of::<gw_persistent>() as u64;
        (*out).oracle_budget = wanted.oracle_budget;
    }
    Ok(())
}

/// # Safety
/// `step` is null or a valid record, whose context lasts as long as `'s`.
pub(super) unsafe fn read_step<'s>(
    step: *const gw_step,
    tables: &'s Tables,
    error: &'s RefCell<gw_error>,
    model: &'s Model,
) -> Result<Step<'s>> {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(oracle_budget) = covered!(step, gw_step, oracle_budget) else { return Err(short("gw_step")) };
        let facts = Facts {
            step: (*step).step,
            site: (*step).site,
            guesses: (*step).guesses,
            batch: (*step).batch,
            progress: (*step).progress,
            oracle_budget,
        };
        if facts.site != GW_ALL_SITES && facts.site as usize >= model.sites.len() {
            return Err(Error::invalid(format!("site {} of {}", facts.site, model.sites.len())));
        }
        let given = Given {
            signals: match covered!(step, gw_step, signals) {
                Some(signals) if !signals.is_null() => slice::from_raw_parts(signals, facts.guesses as usize),
                _ => &[],
            },
            inputs: match (covered!(step, gw_step, inputs), covered!(step, gw_step, inputs_count)) {
                (Some(inputs), Some(count)) if !inputs.is_null() => slice::from_raw_parts(inputs, count as usize),
                _ => &[],
            },
        };
        Ok(Step::new(Call::new(tables, (*step).ctx, error), model, facts, given))
    }
}

const _: () = assert!(offset_of!(gw_plan, services) + 8 == size_of::<gw_plan>());
