//! Handles, addresses and contexts: what a plugin may reach and what it may not.

use super::*;
use crate::model::{Extent, Network, Tape, build};
use crate::workspace::{ActivationSpec, InitSpec, MlpSpec, ModelSpec};
use candle_core::Device;

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
fn what_is_kept_of_a_call_is_neither_reached_by_the_next_nor_taken_for_other_tensors() {
    let (model, other) = (Model::new(DType::F64), Model::new(DType::F64));
    let (mut instance, _) = probe(&model, 1);
    let address = |tensor: &Tensor| kernel::cpu_pointer(tensor).unwrap().0.addr();
    for (round, model) in [&model, &model, &other, &other, &model].into_iter().enumerate() {
        let mut outputs = instance.outputs(&model.tape).unwrap();
        let (weight, signal) = (address(&model.network.theta()[0]), address(outputs.signal(1, 0).unwrap()));
        let expected = [address(model.tape.pre_activation(0)), signal, weight, weight + 5 * size_of::<f64>()];
        run_probe(&mut instance, &mut outputs, model, move |services, step| {
            let weight = services.input(step.ctx, abi::GW_ROLE_WEIGHT, 0).unwrap();
            let handles = [
                services.input(step.ctx, abi::GW_ROLE_PRE_ACTIVATION, 0).unwrap(),
                services.output(step.ctx, 1, 0).unwrap(),
                weight,
                services.rows(step.ctx, weight, 1, 2).unwrap(),
            ];
            assert_eq!(handles.map(|handle| services.data(step.ctx, handle).unwrap().data.addr()), expected);
            assert_eq!(services.fill(step.ctx, handles[3], 0.0).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
            let next = handles[3] + 1;
            assert_eq!(services.shape(step.ctx, next).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
            if round % 2 == 0 {
                assert_eq!(services.rows(step.ctx, weight, 0, 1), Ok(next));
            }
        })
        .unwrap();
    }
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

/// A prepared probe in call mode `layer` and its call for `site`, with what `action` does in it.
fn at_site(
    guesses: usize,
    site: usize,
    mut action: impl FnMut(&Services, &gw_step) + 'static,
) -> Result<(), PluginError> {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe_with(&model, guesses, |_| {});
    let ran = Rc::new(Cell::new(0));
    let count = Rc::clone(&ran);
    probe::on_propose(move |step, _| {
        action(&services(), step);
        count.set(count.get() + 1);
        abi::GW_OK
    });
    // Twice: the second call finds what the first left.
    let result =
        [0, 4].into_iter().try_for_each(|step| instance.propose(&mut call(&model, step, Some(site), &mut outputs)));
    assert!(ran.get() == 2 || result.is_err());
    result
}

/// The handles that come with a call.
fn given(step: &gw_step) -> (&[gw_tensor], &[gw_tensor]) {
    // SAFETY: the host's arrays, one signal a guess.
    unsafe {
        (
            std::slice::from_raw_parts(step.signals, step.guesses as usize),
            std::slice::from_raw_parts(step.inputs, step.inputs_count as usize),
        )
    }
}

#[test]
fn what_comes_with_a_call_is_what_would_be_given_when_asked_for() {
    for site in [0, 1] {
        at_site(2, site, move |services, step| {
            let (signals, inputs) = given(step);
            assert_eq!(inputs.len(), abi::GW_ROLE_COUNT as usize);
            let address = |handle| services.data(step.ctx, handle).unwrap().data.addr();
            for (guess, &signal) in signals.iter().enumerate() {
                let asked = services.output(step.ctx, site as u32, guess as u32).unwrap();
                assert_eq!(address(signal), address(asked));
                services.fill(step.ctx, signal, 0.5).unwrap();
            }
            for (role, &input) in inputs.iter().enumerate() {
                // The probe needs these and the weight, which must be asked for.
                let comes = [abi::GW_ROLE_PRE_ACTIVATION, abi::GW_ROLE_DERIVATIVE].contains(&(role as u32));
                assert_eq!(input != GW_NO_TENSOR, comes, "role {role}");
                if comes {
                    assert_eq!(address(input), address(services.input(step.ctx, role as u32, site as u32).unwrap()));
                    assert_eq!(services.fill(step.ctx, input, 0.5).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
                }
            }
        })
        .unwrap();
    }
    during_propose(|_, step| assert!(step.signals.is_null() && step.inputs.is_null() && step.inputs_count == 0))
        .unwrap();
}

#[test]
fn a_signal_that_came_with_the_call_counts_as_written_when_something_could_have_written_it() {
    let failure = |action: fn(&Services, &gw_step, gw_tensor)| {
        let result = at_site(2, 0, move |services, step| {
            let (signals, _) = given(step);
            services.fill(step.ctx, signals[0], 0.0).unwrap();
            action(services, step, signals[1]);
        });
        result.err().map(|error| error.failure)
    };
    let unwritten = Some(Failure::Unwritten { output: "signal", site: "fc1".into(), guess: 1, at: None });
    assert_eq!(failure(|_, _, _| ()), unwritten);
    assert_eq!(failure(|services, step, signal| drop(services.shape(step.ctx, signal))), unwritten);
    assert_eq!(failure(|services, step, signal| services.fill(step.ctx, signal, 1.0).unwrap()), None);
    let through_rows = |services: &Services, step: &gw_step, signal| {
        let rows = services.rows(step.ctx, signal, 0, BATCH as u64).unwrap();
        services.fill(step.ctx, rows, 1.0).unwrap();
    };
    assert_eq!(failure(through_rows), None);
    let through_memory = |services: &Services, step: &gw_step, signal| {
        let data = services.data(step.ctx, signal).unwrap().data.cast::<f64>();
        // SAFETY: the signal of site 0, B × 4 numbers.
        (0..BATCH * 4).for_each(|index| unsafe { data.add(index).write(2.0) });
    };
    assert_eq!(failure(through_memory), None);
}

#[test]
fn a_pre_activation_is_kept_for_whom_it_was_granted_and_else_not_given() {
    let (dtype, device) = (DType::F64, Device::Cpu);
    let spec =
        MlpSpec { hidden: vec![4], activation: ActivationSpec::Relu, init: InitSpec::He, norm: false, residual: false };
    let graph = Arc::new(build::build(&ModelSpec::Mlp(spec), Extent::dense(5), 3).unwrap());
    let data = Tensor::ones((BATCH, 5), dtype, &device).unwrap();
    let made = |prepared: bool| {
        let tape = Tape::new(Arc::clone(&graph), BATCH, dtype, &device).unwrap();
        let network = Network::new(Arc::clone(&graph), dtype, &device, 7).unwrap();
        let model = Model { graph: Arc::clone(&graph), network, tape };
        assert!(!model.tape.keeps_pre_activation(0) && model.tape.keeps_pre_activation(1));
        let lean = model.tape.bytes();
        let (instance, outputs) = probe_with(&model, 1, |_| {});
        // S of the hidden layer in memory of its own.
        assert_eq!(model.tape.bytes(), lean + BATCH * 4 * 8);
        let model = if prepared {
            model
        } else {
            Model { tape: Tape::new(Arc::clone(&graph), BATCH, dtype, &device).unwrap(), ..model }
        };
        let pass = |_| Ok::<_, candle_core::Error>(());
        model.tape.forward(model.network.theta(), &data, None, pass).unwrap();
        (model, instance, outputs)
    };
    for prepared in [true, false] {
        let (model, mut instance, mut outputs) = made(prepared);
        let weight = &model.network.theta()[0];
        let expected = data.matmul(&weight.t().unwrap()).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(expected.iter().any(|&s| s < 0.0), "without a negative S this test shows nothing");
        probe::on_propose(move |step, _| {
            let services = services();
            let (signals, inputs) = given(step);
            services.fill(step.ctx, signals[0], 0.0).unwrap();
            let handle = inputs[abi::GW_ROLE_PRE_ACTIVATION as usize];
            assert_eq!(handle != GW_NO_TENSOR, prepared);
            match services.input(step.ctx, abi::GW_ROLE_PRE_ACTIVATION, 0) {
                Ok(asked) => {
                    let data = |handle| services.data(step.ctx, handle).unwrap().data.cast::<f64>();
                    assert_eq!(data(asked), data(handle));
                    for (index, expected) in expected.iter().enumerate() {
                        // SAFETY: S of the hidden layer, B × 4 numbers.
                        assert!((unsafe { data(asked).add(index).read() } - expected).abs() < 1e-12);
                    }
                }
                Err((code, text)) => assert!(!prepared && code == abi::GW_WRONG_STATE, "{text}"),
            }
            abi::GW_OK
        });
        instance.propose(&mut call(&model, 0, Some(0), &mut outputs)).unwrap();
    }
}
