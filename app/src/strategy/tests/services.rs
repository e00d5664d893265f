//! What the services do.

use super::*;

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
    probe::on_prepare(|plan| (plan.call_mode, plan.oracle_budget) = (abi::GW_CALL_MODEL, 5.0));
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
                "jvp: 2 questions cost 4 forward equivalents, 3 are left of this step's budget"
            );
            assert_eq!(jvp(step.ctx, guesses.as_ptr(), 1, out.as_mut_ptr(), &mut error), abi::GW_OK);
            assert_eq!(out[0], 4.0);
            let logit_tangent = oracle.logit_tangent.unwrap();
            let nothing = [abi::GW_NO_TENSOR; 2];
            let lower = services().output(step.ctx, 0, 0).unwrap();
            let upper = services().output(step.ctx, 1, 0).unwrap();
            let mut ask = |moved: &[gw_tensor], dst| {
                let code = logit_tangent(step.ctx, moved.as_ptr(), moved.len() as u64, dst, &mut error);
                (code, error.to_text())
            };
            let (code, text) = ask(&nothing[..1], upper);
            assert!(code == abi::GW_INVALID_ARGUMENT && text.contains("each of 2 sites"), "{text}");
            let (code, text) = ask(&nothing, lower);
            assert!(code == abi::GW_INVALID_ARGUMENT && text.contains("as the logits"), "{text}");
            let (code, text) = ask(&[upper, abi::GW_NO_TENSOR], upper);
            assert!(code == abi::GW_INVALID_ARGUMENT && text.contains("shares memory"), "{text}");
            let (code, text) = ask(&[lower, abi::GW_NO_TENSOR], upper);
            assert_eq!(code, abi::GW_OK, "{text}");
            let (code, text) = ask(&[lower, abi::GW_NO_TENSOR], upper);
            assert!(code == abi::GW_BUDGET && text.contains("1 question costs 1"), "{text}");
            let none = [5];
            assert_eq!(jvp(step.ctx, none.as_ptr(), 1, out.as_mut_ptr(), &mut error), abi::GW_INVALID_ARGUMENT);
        }
        assert_eq!(step.oracle_budget, 5.0);
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
