//! Tests of the boundary in raw C terms: entries that lie, handles that are stale, memory that is not granted.
#![allow(unsafe_code)]

mod model;
mod probe;

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
use std::sync::atomic::{AtomicBool, Ordering};

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

#[test]
fn an_honest_entry_is_read() {
    let info = probe::read(probe::entry(), probe::strategy()).unwrap();
    assert_eq!((info.id.as_str(), info.name.as_str(), info.kind), ("probe", "Probe", Kind::Signal));
    assert_eq!(info.needs.to_string(), "weight, pre-activation, derivative");
}

#[test]
fn every_lie_in_an_entry_is_refused_with_its_reason() {
    let bad_text = [0xff_u8, 0xfe];
    type Lie<'a> = (&'a str, Box<dyn Fn(&mut gw_entry, &mut gw_strategy) + 'a>);
    let lies: Vec<Lie<'_>> = vec![
        ("struct_size is 16", Box::new(|entry, _| entry.struct_size = 16)),
        ("version 2 of the plugin interface", Box::new(|entry, _| entry.abi_major = 2)),
        ("layout fingerprint", Box::new(|entry, _| entry.fingerprint ^= 1)),
        ("must-understand flags 0x10000000000", Box::new(|entry, _| entry.flags |= 1 << 40)),
        ("`count` and `get`", Box::new(|entry, _| entry.get = None)),
        ("sdk of gw_entry: not UTF-8", Box::new(|entry, _| entry.sdk = gw_str { ptr: bad_text.as_ptr(), len: 2 })),
        ("gw_strategy: struct_size is 8", Box::new(|_, strategy| strategy.struct_size = 8)),
        ("its id: `` is empty", Box::new(|_, strategy| strategy.id = gw_str::EMPTY)),
        ("its id: a null string", Box::new(|_, strategy| strategy.id = gw_str { ptr: ptr::null(), len: 4 })),
        ("its id: not UTF-8", Box::new(|_, strategy| strategy.id = gw_str { ptr: bad_text.as_ptr(), len: 2 })),
        ("`backprop` is the host's own", Box::new(|_, strategy| strategy.id = gw_str::new("backprop"))),
        ("its kind: 9", Box::new(|_, strategy| strategy.kind = 9)),
        ("`propose` must be given", Box::new(|_, strategy| strategy.propose = None)),
        ("`dtypes` names none", Box::new(|_, strategy| strategy.dtypes = 0)),
        ("must-understand", Box::new(|_, strategy| strategy.flags |= 1 << 63)),
        ("its name: not UTF-8", Box::new(|_, strategy| strategy.name = gw_str { ptr: bad_text.as_ptr(), len: 2 })),
        ("the pointer is null", Box::new(|_, strategy| (strategy.params_count, strategy.params_stride) = (1, 256))),
        ("a stride of 8 bytes", Box::new(|_, strategy| (strategy.params_count, strategy.params_stride) = (1, 8))),
    ];
    for (expected, lie) in lies {
        let (mut entry, mut strategy) = (probe::entry(), probe::strategy());
        lie(&mut entry, &mut strategy);
        let refusal = probe::read(entry, strategy).expect_err(expected).to_string();
        assert!(refusal.contains(expected), "expected `{expected}` in `{refusal}`");
    }
}

#[test]
fn unknown_flags_that_may_be_ignored_are_and_longer_records_are_read() {
    #[repr(C)]
    struct Longer(gw_strategy, [u64; 4]);
    let (mut entry, mut strategy) = (probe::entry(), probe::strategy());
    entry.flags |= 1 << 20;
    strategy.flags |= 1 << 30;
    strategy.struct_size += 32;
    let longer: &'static Longer = Box::leak(Box::new(Longer(strategy, [u64::MAX; 4])));
    // SAFETY: a copy of the known part, whose size speaks of the longer record; only the known part is read.
    let known = unsafe { ptr::read(&longer.0) };
    assert_eq!(probe::read(entry, known).unwrap().id, "probe");
}

#[test]
fn parameter_schemas_are_checked() {
    fn spec() -> gw_param_spec {
        gw_param_spec {
            struct_size: size_of::<gw_param_spec>() as u64,
            key: gw_str::new("depth"),
            doc: gw_str::new("Layers."),
            kind: abi::GW_PARAM_INT,
            reserved: 0,
            default_i: 1,
            default_f: 0.0,
            default_s: gw_str::EMPTY,
            min: 1.0,
            max: 8.0,
            choices: ptr::null(),
            choices_count: 0,
        }
    }
    let read = |specs: Vec<gw_param_spec>| {
        let mut strategy = probe::strategy();
        strategy.params_count = specs.len() as u64;
        strategy.params_stride = size_of::<gw_param_spec>() as u64;
        strategy.params = specs.leak().as_ptr();
        probe::read(probe::entry(), strategy)
    };
    let good = read(vec![spec()]).unwrap();
    assert_eq!(good.params[0].kind, ParamKind::Int { default: 1, min: 1.0, max: 8.0 });
    let bad: [(&str, fn(&mut gw_param_spec)); 6] = [
        ("lies outside 1 to 8", |spec| spec.default_i = 9),
        ("admit nothing", |spec| spec.max = f64::NAN),
        ("is empty", |spec| spec.key = gw_str::EMPTY),
        ("a choice of 0 words", |spec| spec.kind = abi::GW_PARAM_CHOICE),
        ("77 is no type", |spec| spec.kind = 77),
        ("0 or 1, not 5", |spec| (spec.kind, spec.default_i) = (abi::GW_PARAM_BOOL, 5)),
    ];
    for (expected, break_it) in bad {
        let mut broken = spec();
        break_it(&mut broken);
        let refusal = read(vec![broken]).expect_err(expected).to_string();
        assert!(refusal.contains(expected) && refusal.contains("parameter"), "{refusal}");
    }
    assert!(read(vec![spec(), spec()]).unwrap_err().to_string().contains("stands there twice"));
}

#[test]
fn the_pointer_a_plugin_sees_is_the_storage_s_own() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe(&model, 2);
    let address = |tensor: &Tensor| kernel::cpu_pointer(tensor).unwrap().0.addr();
    let expected = [
        address(&model.network.theta()[0]),
        address(model.tape.pre_activation(0)),
        address(model.tape.derivative(0).unwrap()),
        address(outputs.signal(1, 1).unwrap()),
    ];
    run_probe(&mut instance, &mut outputs, &model, move |services, step| {
        let handles = [
            services.input(step.ctx, abi::GW_ROLE_WEIGHT, 0).unwrap(),
            services.input(step.ctx, abi::GW_ROLE_PRE_ACTIVATION, 0).unwrap(),
            services.input(step.ctx, abi::GW_ROLE_DERIVATIVE, 0).unwrap(),
            services.output(step.ctx, 1, 1).unwrap(),
        ];
        let tensors = handles.map(|handle| services.data(step.ctx, handle).unwrap());
        assert_eq!(tensors.map(|tensor| tensor.data.addr()), expected);
        let weight = tensors[0];
        assert_eq!((weight.ndim, weight.byte_offset, weight.dtype.bits), (2, 0, 64));
        // SAFETY: the host's extents and strides.
        let (shape, strides) =
            unsafe { (std::slice::from_raw_parts(weight.shape, 2), std::slice::from_raw_parts(weight.strides, 2)) };
        assert_eq!((shape, strides), (&[4, 5][..], &[5, 1][..]));
        // SAFETY: the second guess of site 1, 6 × 3 numbers.
        unsafe { tensors[3].data.cast::<f64>().add(4).write(42.0) };
    })
    .unwrap();
    let stacked = outputs.signals()[1].as_ref().unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(stacked[BATCH + 1][1], 42.0, "the number written through the pointer is in the stacked tensor");
}

#[test]
fn what_was_not_granted_is_not_given() {
    during_propose(|services, step| {
        let (code, text) = services.input(step.ctx, abi::GW_ROLE_LABELS, 0).unwrap_err();
        assert_eq!(code, abi::GW_NOT_GRANTED);
        assert_eq!(text, "input: the input labels was not granted; name it in the strategy's needs or wants");
        assert_eq!(services.input(step.ctx, abi::GW_ROLE_GRADIENT, 0).unwrap_err().0, abi::GW_NOT_GRANTED);
        assert_eq!(services.input(step.ctx, 77, 0).unwrap_err().0, abi::GW_NOT_GRANTED);
        assert_eq!(services.input(step.ctx, abi::GW_ROLE_WEIGHT, 9).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        assert_eq!(services.output(step.ctx, 0, 2).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        let oracle: &gw_oracle = probe::table(GW_EXT_ORACLE);
        let (guess, mut out, mut error) = (0, 0.0, gw_error::empty());
        // SAFETY: the call's context and places for the results.
        let code = unsafe { oracle.jvp.unwrap()(step.ctx, &guess, 1, &mut out, &mut error) };
        assert_eq!(code, abi::GW_NOT_GRANTED);
    })
    .unwrap();
}

#[test]
fn null_pointers_foreign_contexts_and_handles_are_answered() {
    during_propose(|services, step| {
        assert_eq!(services.input(ptr::null_mut(), abi::GW_ROLE_WEIGHT, 0).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        let not_a_context = ptr::from_ref(step).cast_mut().cast();
        assert_eq!(services.input(not_a_context, abi::GW_ROLE_WEIGHT, 0).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        assert_eq!(services.shape(step.ctx, GW_NO_TENSOR).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        let weight = services.input(step.ctx, abi::GW_ROLE_WEIGHT, 0).unwrap();
        assert_eq!(services.shape(step.ctx, weight + 1000).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        assert_eq!(services.rows(step.ctx, weight, 3, 2).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        let mut error = gw_error::empty();
        // SAFETY: null places are what is tested.
        unsafe {
            let input = services.tensors.input.unwrap();
            let code = input(step.ctx, abi::GW_ROLE_WEIGHT, 0, 0, ptr::null_mut(), &mut error);
            assert_eq!(code, abi::GW_INVALID_ARGUMENT);
            let code = input(step.ctx, abi::GW_ROLE_WEIGHT, 0, 0, ptr::null_mut(), ptr::null_mut());
            assert_eq!(code, abi::GW_INVALID_ARGUMENT);
        }
    })
    .unwrap();
}

#[test]
fn handles_and_contexts_of_an_earlier_call_are_refused() {
    let model = Model::new(DType::F32);
    let (mut instance, mut outputs) = probe(&model, 1);
    let kept = Rc::new(Cell::new((0, ptr::null_mut())));
    let keep = Rc::clone(&kept);
    run_probe(&mut instance, &mut outputs, &model, move |services, step| {
        keep.set((services.input(step.ctx, abi::GW_ROLE_WEIGHT, 0).unwrap(), step.ctx));
    })
    .unwrap();
    let (handle, context) = kept.get();
    let (code, text) = services().shape(context, handle).unwrap_err();
    assert_eq!((code, text.contains("no call is under way")), (abi::GW_WRONG_STATE, true), "{text}");
    run_probe(&mut instance, &mut outputs, &model, move |services, step| {
        let (code, text) = services.shape(step.ctx, handle).unwrap_err();
        assert_eq!((code, text.contains("of another call")), (abi::GW_WRONG_STATE, true), "{text}");
    })
    .unwrap();
}

#[test]
fn another_thread_may_not_use_the_call() {
    during_propose(|_, step| {
        let ctx = step.ctx.addr();
        let code = std::thread::spawn(move || {
            let ctx = ptr::with_exposed_provenance_mut::<gw_context>(ctx);
            services().input(ctx, abi::GW_ROLE_WEIGHT, 0).unwrap_err().0
        });
        let _ = ptr::from_ref(step).expose_provenance();
        let _ = step.ctx.expose_provenance();
        assert_eq!(code.join().unwrap(), abi::GW_WRONG_STATE);
    })
    .unwrap();
}

#[test]
fn destinations_may_be_neither_inputs_nor_overlap_but_may_be_neighbours() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe(&model, 2);
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let weight = services.input(step.ctx, abi::GW_ROLE_WEIGHT, 0).unwrap();
        let (code, text) = services.fill(step.ctx, weight, 1.0).unwrap_err();
        assert_eq!(code, abi::GW_INVALID_ARGUMENT);
        assert_eq!(text, "fill: the destination, the weight of site `fc1`, is an input and read-only");
        let row = services.rows(step.ctx, weight, 1, 1).unwrap();
        assert_eq!(services.fill(step.ctx, row, 1.0).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        let first = services.output(step.ctx, 0, 0).unwrap();
        let (code, text) = services.copy(step.ctx, first, first).unwrap_err();
        assert_eq!((code, text.contains("shares memory")), (abi::GW_INVALID_ARGUMENT, true), "{text}");
        let upper = services.rows(step.ctx, first, 0, 3).unwrap();
        let middle = services.rows(step.ctx, first, 2, 3).unwrap();
        assert_eq!(services.copy(step.ctx, upper, middle).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        services.normal(step.ctx, first, 0, 0).unwrap();
        let second = services.output(step.ctx, 0, 1).unwrap();
        services.copy(step.ctx, second, first).unwrap();
        let (code, text) = services.copy(step.ctx, second, weight).unwrap_err();
        assert_eq!((code, text.as_str()), (abi::GW_INVALID_ARGUMENT, "copy: the source is 4×5, the destination 6×4"));
    })
    .unwrap();
    let (first, second) = (outputs.signal(0, 0).unwrap(), outputs.signal(0, 1).unwrap());
    let (first, second) = (first.to_vec2::<f64>().unwrap(), second.to_vec2::<f64>().unwrap());
    assert_eq!(first, second);
    assert!(first.iter().flatten().any(|&value| value != 0.0));
}

#[test]
fn draws_are_keyed_by_seed_instance_step_and_place() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe(&model, 1);
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let out = services.output(step.ctx, 0, 0).unwrap();
        services.normal(step.ctx, out, 0, 5).unwrap();
        let mut numbers = [0.0; 4];
        let mut error = gw_error::empty();
        // SAFETY: the call's context and memory for four numbers.
        let code = unsafe {
            services.rng.draw.unwrap()(step.ctx, abi::GW_DRAW_NORMAL, 0, 0, 5, 2, numbers.as_mut_ptr(), 4, &mut error)
        };
        assert_eq!(code, abi::GW_OK, "{}", error.to_text());
        let data = services.data(step.ctx, out).unwrap();
        // SAFETY: the output has 24 numbers.
        assert_eq!(numbers, unsafe { *data.data.cast::<f64>().add(2).cast::<[f64; 4]>() });
        assert_eq!(services.normal(step.ctx, out, 70_000, 0).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
        assert_eq!(services.normal(step.ctx, out, 0, 65_536).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
    })
    .unwrap();
    let expected = Tensor::zeros((BATCH, 4), DType::F64, model.tape.device()).unwrap();
    let key = kernel::DrawKey { seed: 11, instance: 2, step: 0, site: 0, guess: 0, draw: 5 };
    kernel::fill_draws(&expected, kernel::Draw::Normal, 1.0, key).unwrap();
    let written = outputs.signal(0, 0).unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(written, expected.to_vec2::<f64>().unwrap());
}

#[test]
fn replaced_draws_stand_in_place_of_the_generator_s() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe(&model, 1);
    let given = Tensor::full(2.5, (BATCH, 4), model.tape.device()).unwrap();
    let place = DrawPlace { kind: DrawKind::Normal, site: 0, guess: 0, draw: 0 };
    instance.set_draws(Some(Draws::from([(place, given.clone())])));
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let out = services.output(step.ctx, 0, 0).unwrap();
        services.normal(step.ctx, out, 0, 0).unwrap();
        let (_, text) = services.normal(step.ctx, out, 0, 1).unwrap_err();
        assert!(text.contains("not Normal of site 0, guess 0, draw 1"), "{text}");
    })
    .unwrap();
    assert_eq!(outputs.signal(0, 0).unwrap().to_vec2::<f64>().unwrap(), given.to_vec2::<f64>().unwrap());
}

#[test]
fn pull_back_is_the_layer_s_adjoint_with_the_mask_and_stacks() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe(&model, 2);
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        for guess in 0..2 {
            let upper = services.output(step.ctx, 1, guess).unwrap();
            services.normal(step.ctx, upper, 1, guess).unwrap();
            let lower = services.output(step.ctx, 0, guess).unwrap();
            services.pull_back(step.ctx, 0, &[upper], lower).unwrap();
            let (code, text) = services.pull_back(step.ctx, 0, &[lower], lower).unwrap_err();
            assert_eq!(code, abi::GW_INVALID_ARGUMENT, "{text}");
            assert_eq!(
                services.pull_back(step.ctx, 0, &[upper, upper], lower).unwrap_err().0,
                abi::GW_INVALID_ARGUMENT
            );
        }
    })
    .unwrap();
    for guess in 0..2 {
        let (upper, lower) = (outputs.signal(1, guess).unwrap(), outputs.signal(0, guess).unwrap());
        let expected = upper.matmul(&model.network.theta()[2]).unwrap().mul(model.tape.derivative(0).unwrap()).unwrap();
        let difference = (lower - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(difference < 1e-14, "{difference}");
    }
}

#[test]
fn in_call_mode_layer_what_comes_later_does_not_exist_yet() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe_with(&model, 1, |_| {});
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    probe::on_propose(move |step, _| {
        let services = services();
        let own = services.output(step.ctx, step.site, 0).unwrap();
        services.fill(step.ctx, own, 0.0).unwrap();
        let other = services.output(step.ctx, 1 - step.site, 0).map_err(|(code, _)| code).map(|_| ());
        let later = services.input(step.ctx, abi::GW_ROLE_PRE_ACTIVATION, 1).map_err(|(code, _)| code).map(|_| ());
        log.borrow_mut().push((step.site, other, later));
        abi::GW_OK
    });
    for site in 0..2 {
        instance.propose(&mut call(&model, 0, Some(site), &mut outputs)).unwrap();
    }
    let state = Err(abi::GW_WRONG_STATE);
    assert_eq!(*seen.borrow(), [(0, state, state), (1, state, Ok(()))]);
}

#[test]
fn plans_that_make_no_sense_are_refused_by_name() {
    let model = Model::new(DType::F64);
    let bad: [(&str, fn(&mut gw_plan)); 7] = [
        ("call_mode is 7", |plan| plan.call_mode = 7),
        ("signal_at is 7", |plan| plan.signal_at = 7),
        ("rank is 0", |plan| (plan.direction, plan.rank) = (abi::GW_DIRECTION_FACTORS, 0)),
        ("must-understand flags", |plan| plan.flags = 1 << 32),
        ("service oracle, which was not granted", |plan| plan.services |= 1 << abi::GW_SERVICE_ORACLE),
        ("without the service oracle", |plan| plan.oracle_budget = 3.0),
        ("the pointer is null", |plan| (plan.persistent_count, plan.persistent_stride) = (1, 64)),
    ];
    for (expected, break_it) in bad {
        let info = probe::read(probe::entry(), probe::strategy()).unwrap();
        probe::on_prepare(break_it);
        let mut instance = Instance::create(&info, &Params::default()).unwrap();
        let error = instance.prepare(&model.graph, &model.tape, &facts(1)).expect_err(expected);
        assert!(matches!(&error.failure, Failure::Plan(text) if text.contains(expected)), "{error}");
    }
}

#[test]
fn combinations_without_meaning_are_refused_by_name() {
    let model = Model::new(DType::F32);
    let refused = |change: fn(&mut gw_strategy), run: RunFacts| {
        let mut strategy = probe::strategy();
        change(&mut strategy);
        let info = probe::read(probe::entry(), strategy).unwrap();
        probe::on_prepare(|_| {});
        let mut instance = Instance::create(&info, &Params::default()).unwrap();
        match instance.prepare(&model.graph, &model.tape, &run).unwrap_err().failure {
            Failure::Unsupported(text) => text,
            other => panic!("{other}"),
        }
    };
    assert!(refused(|strategy| strategy.needs |= 1 << 60, facts(1)).contains("number 60"));
    assert!(refused(|strategy| strategy.needs |= 1 << abi::GW_ROLE_GRADIENT, facts(1)).contains("diagnostic"));
    assert!(refused(|strategy| strategy.services |= 1 << 50, facts(1)).contains("number 50"));
    assert!(refused(|strategy| strategy.dtypes = 2, facts(1)).contains("does not run in f32, only in f64"));
    assert!(refused(|strategy| strategy.devices = 2, facts(1)).contains("only on cuda"));
    assert!(refused(|strategy| strategy.kind = abi::GW_KIND_WEIGHT, facts(1)).contains("scope to batch or layer"));
    assert!(refused(|strategy| strategy.kind = abi::GW_KIND_ESTIMATE, facts(2)).contains("set guesses to 1"));
    assert!(refused(|strategy| strategy.kind = abi::GW_KIND_SEARCH, facts(1)).contains("search"));
}

#[test]
fn persistent_matrices_stay_between_steps_and_go_through_checkpoints() {
    static NAME: &str = "memory";
    let model = Model::new(DType::F64);
    let plan = |plan: &mut gw_plan| {
        let size = size_of::<gw_persistent>() as u64;
        let memory = gw_persistent { struct_size: size, name: gw_str::new(NAME), rows: 2, columns: 3 };
        plan.call_mode = abi::GW_CALL_MODEL;
        plan.persistent = Box::leak(Box::new(memory));
        (plan.persistent_count, plan.persistent_stride) = (1, size);
    };
    let (mut instance, mut outputs) = probe_with(&model, 1, plan);
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let memory = services.persistent(step.ctx, 0).unwrap();
        assert_eq!(services.shape(step.ctx, memory).unwrap(), (2, 3));
        services.fill(step.ctx, memory, 3.0).unwrap();
        assert_eq!(services.persistent(step.ctx, 1).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
    })
    .unwrap();
    let values = |instance: &Instance| instance.state()[0].1.to_vec2::<f64>().unwrap();
    assert_eq!(values(&instance), [[3.0; 3]; 2]);
    let saved: Vec<_> = instance.state().into_iter().map(|(name, tensor)| (name, tensor.copy().unwrap())).collect();
    instance.reset().unwrap();
    assert_eq!(values(&instance), [[0.0; 3]; 2]);
    instance.load_state(&saved).unwrap();
    instance.prepare(&model.graph, &model.tape, &facts(1)).unwrap();
    assert_eq!(values(&instance), [[3.0; 3]; 2]);
    let error = instance.load_state(&[]).unwrap_err();
    assert!(error.to_string().contains("persistent matrix `memory`: it is not in the checkpoint"), "{error}");
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let memory = services.persistent(step.ctx, 0).unwrap();
        let data = services.data(step.ctx, memory).unwrap();
        // SAFETY: none: one number past the end is the fault; the redzone lies there.
        unsafe { data.data.cast::<f64>().add(6).write(1.0) };
    })
    .map_err(|error| {
        assert!(error.fatal_for_run(), "{error}");
        assert!(error.to_string().contains("past the end of the persistent matrix of site `memory`"), "{error}");
    })
    .unwrap_err();
}

/// L(t) = t², and 4 for every derivative.
struct Parabola;

impl Oracle for Parabola {
    fn loss_at(&mut self, _guess: usize, t: f64) -> candle_core::Result<f64> {
        Ok(t * t)
    }

    fn jvp(&mut self, _guess: usize) -> candle_core::Result<f64> {
        Ok(4.0)
    }
}

#[test]
fn oracles_answer_within_their_budget() {
    let model = Model::new(DType::F64);
    let mut strategy = probe::strategy();
    strategy.services |= 1 << abi::GW_SERVICE_ORACLE;
    let info = probe::read(probe::entry(), strategy).unwrap();
    probe::on_prepare(|plan| (plan.call_mode, plan.oracle_budget) = (abi::GW_CALL_MODEL, 4.0));
    let mut instance = Instance::create(&info, &Params::default()).unwrap();
    instance.prepare(&model.graph, &model.tape, &RunFacts { oracle: true, ..facts(2) }).unwrap();
    let mut outputs = instance.outputs(&model.tape).unwrap();
    probe::on_propose(|step, _| {
        services().zeros(step);
        let oracle: &gw_oracle = probe::table(GW_EXT_ORACLE);
        let (guesses, t, mut out, mut error) = ([0, 1], [2.0, 3.0], [0.0; 2], gw_error::empty());
        // SAFETY: the call's context and arrays of two.
        unsafe {
            let loss_at = oracle.loss_at.unwrap();
            assert_eq!(loss_at(step.ctx, guesses.as_ptr(), t.as_ptr(), 2, out.as_mut_ptr(), &mut error), abi::GW_OK);
            assert_eq!(out, [4.0, 9.0]);
            let jvp = oracle.jvp.unwrap();
            assert_eq!(jvp(step.ctx, guesses.as_ptr(), 2, out.as_mut_ptr(), &mut error), abi::GW_BUDGET);
            assert_eq!(
                error.to_text(),
                "jvp: 2 questions cost 4 forward equivalents, 2 are left of this step's budget"
            );
            assert_eq!(jvp(step.ctx, guesses.as_ptr(), 1, out.as_mut_ptr(), &mut error), abi::GW_OK);
            assert_eq!(out[0], 4.0);
            let none = [5];
            assert_eq!(jvp(step.ctx, none.as_ptr(), 1, out.as_mut_ptr(), &mut error), abi::GW_INVALID_ARGUMENT);
        }
        assert_eq!(step.oracle_budget, 4.0);
        abi::GW_OK
    });
    let mut oracle = Parabola;
    let mut with_oracle = call(&model, 0, None, &mut outputs);
    with_oracle.oracle = Some(&mut oracle);
    instance.propose(&mut with_oracle).unwrap();
}

#[test]
fn metrics_messages_and_cancellation_pass() {
    let model = Model::new(DType::F32);
    let (mut instance, mut outputs) = probe(&model, 1);
    let run = facts(1);
    instance.prepare(&model.graph, &model.tape, &run).unwrap();
    run.cancelled.store(true, Ordering::Relaxed);
    run_probe(&mut instance, &mut outputs, &model, |_, step| {
        let metrics: &gw_metrics = probe::table(GW_EXT_METRICS);
        let (log, control): (&gw_log, &gw_control) = (probe::table(GW_EXT_LOG), probe::table(GW_EXT_CONTROL));
        let series = [1.0, 2.0];
        // SAFETY: the call's context, strings and a series of two.
        unsafe {
            assert_eq!(metrics.scalar.unwrap()(step.ctx, gw_str::new("norm"), 0.5), abi::GW_OK);
            assert_eq!(metrics.series.unwrap()(step.ctx, gw_str::new("s"), series.as_ptr(), 2), abi::GW_OK);
            assert_eq!(
                metrics.series.unwrap()(step.ctx, gw_str::new("s"), series.as_ptr(), 5000),
                abi::GW_INVALID_ARGUMENT
            );
            assert_eq!(metrics.scalar.unwrap()(step.ctx, gw_str::EMPTY, 0.5), abi::GW_INVALID_ARGUMENT);
            assert_eq!(log.write.unwrap()(step.ctx, abi::GW_LOG_WARN, gw_str::new("look")), abi::GW_OK);
            assert_eq!(log.write.unwrap()(step.ctx, 9, gw_str::new("look")), abi::GW_INVALID_ARGUMENT);
            assert_eq!(control.cancelled.unwrap()(step.ctx), 1);
        }
    })
    .unwrap();
    let events = instance.take_events();
    assert_eq!(events.metrics, [("norm".to_owned(), vec![0.5]), ("s".to_owned(), vec![1.0, 2.0])]);
    assert_eq!(events.messages, [(Level::Warn, "look".to_owned())]);
    assert_eq!(instance.take_events(), Events::default());
}

#[test]
fn a_changed_floating_point_mode_is_put_back_and_reported() {
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let model = Model::new(DType::F32);
    let (mut instance, mut outputs) = probe(&model, 1);
    let before = fpmode::FpMode::current();
    run_probe(&mut instance, &mut outputs, &model, |_, _| {
        #[cfg(target_arch = "x86_64")]
        {
            let flush = 0x9fc0_u32;
            // SAFETY: the default mode with flush-to-zero and denormals-are-zero.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &flush, options(nostack, preserves_flags)) };
        }
    })
    .unwrap();
    assert_eq!(fpmode::FpMode::current(), before);
    assert!(instance.take_events().messages[0].1.contains("floating-point mode"));
}

#[test]
fn a_call_that_does_not_fit_is_the_host_s_fault() {
    let model = Model::new(DType::F32);
    let (mut instance, mut outputs) = probe(&model, 1);
    let error = instance.propose(&mut call(&model, 0, Some(0), &mut outputs)).unwrap_err();
    assert!(matches!(error.failure, Failure::Host(_)), "{error}");
    let unprepared = Instance::create(instance.info(), &Params::default()).unwrap();
    assert_eq!(unprepared.outputs(&model.tape).unwrap_err().failure, Failure::Unprepared);
    let _: &AtomicBool = &facts(1).cancelled;
}
