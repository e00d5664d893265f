//! Tests of the boundary in raw C terms: entries that lie, handles that are stale, memory that is not granted.
#![allow(unsafe_code)]

mod entries;
mod memory;
mod model;
mod plans;
mod probe;
mod services;

use super::*;
use crate::kernel;
use crate::workspace::Scope;
use candle_core::{DType, Tensor};
use guesswork_plugin::abi::{self, *};
use model::{BATCH, Model};
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn facts(guesses: usize) -> RunFacts {
    RunFacts {
        scope: Scope::ExampleLayer,
        guesses,
        seed: 11,
        instance: 2,
        diagnostic: false,
        oracle: false,
        cancelled: Arc::default(),
    }
}

fn call<'a>(model: &'a Model, step: u64, site: Option<usize>, outputs: &'a mut Outputs) -> Call<'a> {
    Call {
        tape: &model.tape,
        theta: model.network.theta(),
        step,
        site,
        first_guess: 0,
        progress: 0.0,
        inputs: Inputs::default(),
        outputs: Some(outputs),
        oracle: None,
    }
}

/// A prepared probe in call mode `model`.
fn probe(model: &Model, guesses: usize) -> (Instance, Outputs) {
    probe_with(model, guesses, |plan| plan.call_mode = abi::GW_CALL_MODEL)
}

fn probe_with(model: &Model, guesses: usize, plan: impl FnMut(&mut gw_plan) + 'static) -> (Instance, Outputs) {
    let info = probe::read(probe::entry(), probe::strategy()).unwrap();
    probe::on_prepare(plan);
    let mut instance = Instance::create(&info, &Params::default()).unwrap();
    instance.prepare(&model.graph, &model.tape, &facts(guesses)).unwrap();
    let outputs = instance.outputs(&model.tape).unwrap();
    (instance, outputs)
}

/// The services in one place, as a C author would call them.
struct Services {
    tensors: &'static gw_tensors,
    ops: &'static gw_ops,
    rng: &'static gw_rng,
}

fn services() -> Services {
    Services { tensors: probe::table(GW_EXT_TENSORS), ops: probe::table(GW_EXT_OPS), rng: probe::table(GW_EXT_RNG) }
}

type Answer<T> = Result<T, (i32, String)>;

fn answer<T>(value: T, code: i32, error: &gw_error) -> Answer<T> {
    if code == abi::GW_OK { Ok(value) } else { Err((code, error.to_text())) }
}

impl Services {
    fn input(&self, ctx: *mut gw_context, role: u32, site: u32) -> Answer<gw_tensor> {
        let (mut out, mut error) = (0, gw_error::empty());
        // SAFETY: a context of the test's choice, and places for the results.
        let code = unsafe { self.tensors.input.unwrap()(ctx, role, site, 0, &mut out, &mut error) };
        answer(out, code, &error)
    }

    fn output(&self, ctx: *mut gw_context, site: u32, guess: u32) -> Answer<gw_tensor> {
        let (mut out, mut error) = (0, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.tensors.output.unwrap()(ctx, abi::GW_OUT_SIGNAL, site, guess, &mut out, &mut error) };
        answer(out, code, &error)
    }

    fn persistent(&self, ctx: *mut gw_context, index: u32) -> Answer<gw_tensor> {
        let (mut out, mut error) = (0, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.tensors.persistent.unwrap()(ctx, index, &mut out, &mut error) };
        answer(out, code, &error)
    }

    fn rows(&self, ctx: *mut gw_context, tensor: gw_tensor, start: u64, count: u64) -> Answer<gw_tensor> {
        let (mut out, mut error) = (0, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.tensors.rows.unwrap()(ctx, tensor, start, count, &mut out, &mut error) };
        answer(out, code, &error)
    }

    fn shape(&self, ctx: *mut gw_context, tensor: gw_tensor) -> Answer<(u64, u64)> {
        let (mut rows, mut columns, mut error) = (0, 0, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.tensors.shape.unwrap()(ctx, tensor, &mut rows, &mut columns, &mut error) };
        answer((rows, columns), code, &error)
    }

    fn data(&self, ctx: *mut gw_context, tensor: gw_tensor) -> Answer<DLTensor> {
        // SAFETY: all zero is a valid DLTensor.
        let (mut out, mut error) = (unsafe { std::mem::zeroed::<DLTensor>() }, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.tensors.data.unwrap()(ctx, tensor, &mut out, &mut error) };
        answer(out, code, &error)
    }

    fn fill(&self, ctx: *mut gw_context, dst: gw_tensor, value: f64) -> Answer<()> {
        let mut error = gw_error::empty();
        // SAFETY: as above.
        let code = unsafe { self.ops.fill.unwrap()(ctx, dst, value, &mut error) };
        answer((), code, &error)
    }

    fn copy(&self, ctx: *mut gw_context, dst: gw_tensor, src: gw_tensor) -> Answer<()> {
        let mut error = gw_error::empty();
        // SAFETY: as above.
        let code = unsafe { self.ops.copy.unwrap()(ctx, dst, src, &mut error) };
        answer((), code, &error)
    }

    fn pull_back(&self, ctx: *mut gw_context, site: u32, signals: &[gw_tensor], dst: gw_tensor) -> Answer<()> {
        let (first, count, mut error) = (signals.as_ptr(), signals.len() as u64, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.ops.pull_back.unwrap()(ctx, site, first, count, dst, &mut error) };
        answer((), code, &error)
    }

    fn normal(&self, ctx: *mut gw_context, dst: gw_tensor, site: u32, draw: u32) -> Answer<()> {
        let (kind, mut error) = (abi::GW_DRAW_NORMAL, gw_error::empty());
        // SAFETY: as above.
        let code = unsafe { self.rng.fill.unwrap()(ctx, dst, kind, 1.0, site, 0, draw, &mut error) };
        answer((), code, &error)
    }

    /// Writes zeros to every output, so that a call passes.
    fn zeros(&self, step: &gw_step) {
        for site in 0..2 {
            for guess in 0..step.guesses {
                let out = self.output(step.ctx, site, guess).unwrap();
                self.fill(step.ctx, out, 0.0).unwrap();
            }
        }
    }
}

/// Runs `action` as the probe's `propose` in call mode `model`, after writing all outputs.
fn during_propose(action: impl FnMut(&Services, &gw_step) + 'static) -> Result<(), PluginError> {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe(&model, 2);
    run_probe(&mut instance, &mut outputs, &model, action)
}

fn run_probe(
    instance: &mut Instance,
    outputs: &mut Outputs,
    model: &Model,
    mut action: impl FnMut(&Services, &gw_step) + 'static,
) -> Result<(), PluginError> {
    let ran = Rc::new(Cell::new(false));
    let flag = Rc::clone(&ran);
    probe::on_propose(move |step, _| {
        let services = services();
        services.zeros(step);
        action(&services, step);
        flag.set(true);
        abi::GW_OK
    });
    let result = instance.propose(&mut call(model, 0, None, outputs));
    assert!(ran.get(), "the probe's assertions did not run to their end");
    result
}
