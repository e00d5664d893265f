//! The safe layer through the C functions: every kind of output, every service, and what is refused.

use guesswork_plugin::abi;
use guesswork_plugin::testing::{Activation, Grid, Host, Network};
use guesswork_plugin::{
    CallMode, DType, Direction, Error, Flag, Info, Kind, Level, Matrix, Model, Outcome, Param, Part, Plan, Result,
    Role, Service, Step, Strategy,
};
use serde::Deserialize;

const ALL: &[Service] = &[Service::Ops, Service::Rng, Service::Oracle, Service::Metrics, Service::Scratch];

/// A strategy made of two expressions, or of one that suits the default plan, to try one thing.
macro_rules! probe {
    ($name:ident, $info:expr, |$step:ident| $propose:expr) => {
        probe!($name, $info, {}, |$step| $propose);
    };
    ($name:ident, $info:expr, |$plan:ident| $prepare:expr, |$step:ident| $propose:expr) => {
        probe!(
            $name,
            $info,
            {
                fn prepare(&mut self, _: &Model, $plan: &mut Plan) -> Result {
                    $prepare;
                    Ok(())
                }
            },
            |$step| $propose
        );
    };
    ($name:ident, $info:expr, { $($prepare:item)? }, |$step:ident| $propose:expr) => {
        struct $name;

        impl Strategy for $name {
            type Params = ();
            const INFO: Info = $info;

            fn create((): ()) -> Result<Self> {
                Ok(Self)
            }

            $($prepare)?

            fn propose(&mut self, $step: &mut Step<'_>) -> Result {
                $propose
            }
        }
    };
}

const SIGNAL: Info = Info::new("probe", Kind::Signal).services(ALL);

/// Guesses of one step, in one call or in several: the host numbers draws on.
#[test]
fn independent_guesses_are_the_same_a_few_at_a_time() {
    probe!(Apart, SIGNAL, |plan| plan.independent = true, |step| {
        assert!(matches!(step.guesses().len(), 1 | 2 | 4));
        step.each_guess(|step, site, guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0))
    });
    let signals = |at_once| {
        let mut host = Host::of::<Apart>().guesses(4).at_once(at_once).start().unwrap();
        host.step().unwrap();
        host.step().unwrap();
        (0..4).map(|guess| host.signal(1, guess)).collect::<Vec<_>>()
    };
    let whole = signals(4);
    for at_once in [1, 2] {
        for (few, all) in signals(at_once).iter().zip(&whole) {
            few.assert_close(all, 0.0);
        }
    }
    let refused = |host: guesswork_plugin::testing::Setup| host.start().unwrap_err().to_string();
    let uneven = refused(Host::of::<Apart>().guesses(4).at_once(3));
    assert!(uneven.contains("4 guesses do not fall into parts of 3"), "{uneven}");

    probe!(Together, SIGNAL, |step| {
        step.each_guess(|step, site, guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0))
    });
    let together = refused(Host::of::<Together>().guesses(4).at_once(2));
    assert!(together.contains("makes the guesses of a step together: set `plan.independent`"), "{together}");
}

#[test]
fn factors_make_a_direction() {
    probe!(
        Factors,
        Info::new("factors", Kind::Weight).services(ALL),
        |plan| plan.direction = Direction::Factors { rank: 2 },
        |step| step.each_guess(|step, site, guess| {
            let (left, right) = (step.left(site, guess)?, step.right(site, guess)?);
            step.normal(left, site, guess, 0, 1.0)?;
            step.normal(right, site, guess, 1, 0.5)?;
            step.fill(step.bias_out(site, guess)?, 0.25)
        })
    );
    let mut host = Host::of::<Factors>().guesses(2).start().unwrap();
    host.step().unwrap();
    for guess in 0..2 {
        let (weight, bias) = host.direction(0, guess);
        let right = host.normal(0, guess, 1, 6, 2).map(|value| 0.5 * value);
        weight.assert_close(&host.normal(0, guess, 0, 5, 2).matmul(&right.t()), 1e-14);
        bias.assert_close(&Grid::constant(1, 5, 0.25), 0.0);
    }
}

#[test]
fn an_estimate_may_be_the_gradient_itself() {
    probe!(
        Exact,
        Info::new("exact", Kind::Estimate).services(ALL).needs(&[Role::Gradient]),
        |plan| plan.call_mode = CallMode::Model,
        |step| step.each_guess(|step, site, guess| {
            for part in [Part::Weight, Part::Bias] {
                let gradient = step.input_part(Role::Gradient, site, part)?;
                step.copy(step.estimate(site, guess, part)?, gradient)?;
            }
            Ok(())
        })
    );
    let mut host = Host::of::<Exact>().network(Network::residual(4, 5, 2, 3, Activation::Tanh)).start().unwrap();
    host.step().unwrap();
    for site in 0..3 {
        let signal = host.true_signal(site);
        host.estimate(site, 0).0.assert_close(&signal.t().matmul(host.input(site)), 1e-15);
    }
}

#[test]
fn oracles_agree_with_each_other_and_with_the_gradient_and_are_metered() {
    probe!(
        Probe,
        Info::new("oracle", Kind::Search).services(ALL).needs(&[Role::Gradient]),
        |plan| {
            plan.call_mode = CallMode::Model;
            plan.oracle_budget = 4.0;
        },
        |step| {
            let mut inner = 0.0;
            step.each_site(|step, site| {
                let (weight, bias) = (step.weight_out(site, 0)?, step.bias_out(site, 0)?);
                step.normal(weight, site, 0, 0, 1.0)?;
                step.normal(bias, site, 0, 1, 1.0)?;
                inner += step.dot(weight, step.input_part(Role::Gradient, site, Part::Weight)?)?;
                inner += step.dot(bias, step.input_part(Role::Gradient, site, Part::Bias)?)?;
                Ok(())
            })?;
            let (mut exact, mut losses) = ([0.0], [0.0; 2]);
            step.jvp(&[0], &mut exact)?;
            let h = 1e-5;
            step.loss_at(&[0, 0], &[h, -h], &mut losses)?;
            step.metric_series("slopes", &[inner, exact[0], (losses[0] - losses[1]) / (2.0 * h)])?;
            match step.loss_at(&[0], &[0.0], &mut [0.0]) {
                Err(error) if error.code() == abi::GW_BUDGET => step.metric("budget kept", 1.0),
                other => other,
            }
        }
    );
    let mut host = Host::of::<Probe>().network(Network::residual(4, 5, 2, 3, Activation::Tanh)).start().unwrap();
    host.step().unwrap();
    let metrics = host.metrics();
    let [inner, exact, difference] = metrics[0].1[..] else { panic!("three slopes") };
    assert!((inner - exact).abs() < 1e-12, "{inner} {exact}");
    assert!((difference - exact).abs() < 1e-8, "{difference} {exact}");
    assert_eq!(metrics[1], ("budget kept".to_owned(), vec![1.0]));
}

#[test]
fn extents_that_do_not_fit_are_named() {
    probe!(Misfit, SIGNAL, |step| {
        let (column, row) = (step.scratch(4, 1)?, step.scratch(1, 3)?);
        step.fill(column, 1.0)?;
        step.column_sum(row, column)
    });
    let error = Host::of::<Misfit>().start().unwrap().step().unwrap_err();
    assert_eq!(error.code(), abi::GW_INVALID_ARGUMENT);
    assert!(error.text().contains("column_sum") && error.text().contains("1 × 3, expected 1 × 1"), "{error}");
}

fn square<'s>(step: &mut Step<'s>, a: Matrix<'s>) -> Result<f64> {
    step.dot(a, a)
}

#[test]
fn operations_fit_together() {
    probe!(Algebra, SIGNAL, |plan| plan.call_mode = CallMode::Model, |step| {
        let a = step.scratch(5, 3)?;
        step.normal(a, 0, 0, 0, 1.0)?;
        let (u, s, v) = (step.scratch(5, 3)?, step.scratch(1, 3)?, step.scratch(3, 3)?);
        step.svd(a, u, s, v)?;
        let scaled = step.scratch(3, 3)?;
        step.fill(scaled, 0.0)?;
        step.add_row(scaled, 1.0, s)?;
        step.hadamard(scaled, v)?;
        step.gemm(a, -1.0, u, scaled.t(), 1.0)?;
        let remainder = square(step, a)?;
        step.metric("‖a − u diag(s) vᵀ‖²", remainder)?;

        step.normal(a, 0, 0, 0, 1.0)?;
        step.orthonormalise(a)?;
        let gram = step.scratch(3, 3)?;
        step.matmul(gram, a.t(), a)?;
        let identity = square(step, gram)?;
        step.metric("‖QᵀQ‖²", identity)?;

        let norms = step.scratch(5, 1)?;
        step.row_dot(norms, u, u)?;
        for value in step.slice_mut::<f64>(norms)? {
            *value = 1.0 / value.sqrt();
        }
        step.row_scale(u, norms)?;
        let all = square(step, u)?;
        step.metric("five rows of norm 1", all)?;
        let two = step.rows(u, 1, 2)?;
        let two = square(step, two)?;
        step.metric("two of them", two)?;

        step.scale(u, 2.0)?;
        let copy = step.scratch(5, 3)?;
        step.copy(copy, u)?;
        step.axpy(copy, -1.0, u)?;
        let nothing = square(step, copy)?;
        step.metric("a copy less itself", nothing)?;
        step.rademacher(copy, 0, 0, 1, 3.0)?;
        let signs = square(step, copy)?;
        step.metric("15 of ±3", signs)?;
        step.uniform(copy, 0, 0, 1, 1.0)?;
        let inside = step.slice_mut::<f64>(copy)?.iter().all(|value| (0.0..1.0).contains(value));
        step.metric("uniform inside", inside.into())?;
        step.each_guess(|step, site, guess| step.fill(step.signal(site, guess)?, 1.0))
    });
    let mut host = Host::of::<Algebra>().start().unwrap();
    host.step().unwrap();
    let values: Vec<f64> = host.metrics().iter().map(|(_, values)| values[0]).collect();
    Grid::new(1, 7, values).assert_close(&Grid::new(1, 7, vec![0.0, 3.0, 5.0, 2.0, 0.0, 135.0, 1.0]), 1e-12);
}

/// Remembers a running mean of the logits' signal in a persistent matrix, and the number of steps in itself.
struct Remembers {
    weight: f64,
    mean: usize,
    seen: u64,
    losses: Vec<f64>,
}

#[derive(Deserialize)]
struct Memory {
    weight: f64,
}

impl Strategy for Remembers {
    type Params = Memory;
    const INFO: Info = Info::new("remembers", Kind::Signal).services(ALL).flags(&[Flag::Deterministic]);
    const PARAMS: &'static [Param] = &[Param::float("weight", 0.5).bounds(0.0, 1.0).doc("Of the old mean.")];

    fn create(params: Memory) -> Result<Self> {
        Ok(Self { weight: params.weight, mean: 0, seen: 0, losses: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        plan.persist("unused", 1, 1);
        self.mean = plan.persist("mean", model.batch, model.classes);
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        self.seen += 1;
        step.log(Level::Info, &format!("{} seen, {} outcomes", self.seen, self.losses.len()));
        let mean = step.persistent(self.mean)?;
        step.each_guess(|step, site, guess| {
            let signal = step.signal(site, guess)?;
            step.normal(signal, site, guess, 0, 1.0)?;
            if step.is_last(site) {
                step.scale(mean, self.weight)?;
                step.axpy(mean, 1.0 - self.weight, signal)?;
            }
            Ok(())
        })
    }

    fn observe(&mut self, step: &mut Step<'_>, outcome: &Outcome<'_>) -> Result {
        if step.signal(0, 0).is_ok() {
            return Err(Error::new("there must be no outputs in `observe`"));
        }
        self.losses.push(outcome.loss + outcome.scalars.iter().sum::<f64>() + outcome.estimate_norm);
        Ok(())
    }

    fn reset(&mut self) -> Result {
        self.seen = 0;
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.seen.to_le_bytes().to_vec())
    }

    fn load(&mut self, bytes: &[u8]) -> Result {
        let bytes =
            bytes.try_into().map_err(|_| Error::invalid(format!("a state has 8 bytes, not {}", bytes.len())))?;
        self.seen = u64::from_le_bytes(bytes);
        Ok(())
    }
}

#[test]
fn state_is_kept_saved_restored_and_reset() {
    let mut host = Host::of::<Remembers>().param("weight", 0.25).start().unwrap();
    let mut expected = Grid::constant(4, 3, 0.0);
    for _ in 0..2 {
        host.step().unwrap();
        expected = expected.map(|value| 0.25 * value).plus(&host.signal(2, 0).map(|value| 0.75 * value));
        host.persistent(1).assert_close(&expected, 1e-15);
    }
    host.observe(1.0, &[2.0, 3.0], 4.0).unwrap();
    let state = host.save().unwrap();
    assert_eq!(state, 2_u64.to_le_bytes());
    host.step().unwrap();
    assert_eq!(host.messages()[0], (abi::GW_LOG_INFO, "3 seen, 1 outcomes".to_owned()));
    let third = host.signal(0, 0);
    host.load(&state, 2).unwrap();
    host.step().unwrap();
    assert_eq!(host.messages()[0].1, "3 seen, 1 outcomes");
    assert_eq!(host.signal(0, 0), third);
    assert!(host.load(&[1], 0).unwrap_err().text().contains("8 bytes, not 1"));
    host.reset().unwrap();
    assert_eq!(host.persistent(1), Grid::constant(4, 3, 0.0));
    host.step().unwrap();
    assert_eq!(host.messages()[0].1, "1 seen, 1 outcomes");
    let refused = Host::of::<Remembers>().param("weight", 2.0).start().unwrap_err();
    assert!(refused.text().contains("`weight`"), "{refused}");
}

#[test]
fn what_was_not_asked_for_is_not_granted() {
    probe!(Labels, SIGNAL, |step| step.input(Role::Labels, 0).map(drop));
    let error = Host::of::<Labels>().start().unwrap().step().unwrap_err();
    assert_eq!(error.code(), abi::GW_NOT_GRANTED);

    probe!(NoRng, Info::new("no-rng", Kind::Signal), |step| {
        let signal = step.signal(0, 0)?;
        step.normal(signal, 0, 0, 0, 1.0)
    });
    let error = Host::of::<NoRng>().start().unwrap().step().unwrap_err();
    assert_eq!(error.code(), abi::GW_NOT_GRANTED);
    assert!(error.text().contains("gw.rng/1"), "{error}");
}

#[test]
fn what_comes_later_does_not_exist_in_call_mode_layer() {
    probe!(Early, SIGNAL.needs(&[Role::Derivative]), |step| step.input(Role::Derivative, 1).map(drop));
    let error = Host::of::<Early>().start().unwrap().step().unwrap_err();
    assert_eq!(error.code(), abi::GW_WRONG_STATE);
    assert!(error.text().contains("plan call mode `model`"), "{error}");
}

#[test]
fn a_source_cannot_be_the_destination() {
    probe!(Overlap, SIGNAL, |step| {
        let signal = step.signal(0, 0)?;
        let part = step.rows(signal, 1, 2)?;
        let same = step.reshape(part, 2, signal.columns())?;
        step.copy(same, part)
    });
    let error = Host::of::<Overlap>().start().unwrap().step().unwrap_err();
    assert!(error.text().contains("destination and source at once"), "{error}");
}

#[test]
fn slices_are_the_storage_and_have_its_type() {
    probe!(Slices, SIGNAL.needs(&[Role::Activation]), |step| {
        step.each_guess(|step, site, guess| {
            let (signal, x) = (step.signal(site, guess)?, step.input(Role::Activation, site)?);
            assert!(step.slice::<f64>(x).is_err_and(|error| error.code() == abi::GW_UNSUPPORTED));
            let x = step.slice::<f32>(x)?;
            for (value, x) in step.slice_mut::<f32>(signal)?.iter_mut().zip(x) {
                *value = 2.0 * x;
            }
            Ok(())
        })
    });
    let mut host = Host::of::<Slices>().dtype(DType::F32).start().unwrap();
    host.step().unwrap();
    host.signal(1, 0).assert_close(&host.activation(1).map(|value| 2.0 * value), 1e-6);
}

#[test]
fn long_messages_are_cut_at_a_character() {
    probe!(Verbose, SIGNAL, |_step| Err(Error::new(format!("a{}", "é".repeat(400)))));
    let error = Host::of::<Verbose>().start().unwrap().step().unwrap_err();
    assert_eq!(error.text(), format!("a{}", "é".repeat(247)));
}

/// Calls the C functions with null pointers, short records and in the wrong order.
#[test]
#[allow(unsafe_code)]
fn misuse_of_the_table_is_answered_not_obeyed() {
    use std::ptr::{null, null_mut};
    probe!(Quiet, SIGNAL, |_step| Ok(()));
    let record = &abi::shim::describe::<Quiet>();
    let mut error = abi::gw_error::empty();
    // SAFETY: null pointers are what the functions must answer to; the others are valid.
    unsafe {
        let (create, propose) = (record.create.unwrap(), record.propose.unwrap());
        assert_eq!(create(record, null(), null(), null_mut(), &mut error), abi::GW_INVALID_ARGUMENT);
        assert_eq!(propose(null_mut(), null(), &mut error), abi::GW_INVALID_ARGUMENT);
        assert_eq!(error.to_text(), "the instance is null");
        assert_eq!(propose(null_mut(), null(), null_mut()), abi::GW_INVALID_ARGUMENT);
        let mut instance = null_mut();
        assert_eq!(create(record, null(), null(), &mut instance, &mut error), abi::GW_OK);
        assert_eq!(propose(instance, null(), &mut error), abi::GW_WRONG_STATE);
        assert!(error.to_text().contains("call `prepare` first"));
        assert_eq!(record.prepare.unwrap()(instance, null(), null_mut(), &mut error), abi::GW_INVALID_ARGUMENT);
        let mut short = abi::gw_error { struct_size: 12, code: 0, length: 9, text: [7; 496] };
        assert_eq!(propose(instance, null(), &mut short), abi::GW_WRONG_STATE);
        assert_eq!((short.code, short.length, short.text[0]), (abi::GW_WRONG_STATE, 9, 7));
        record.destroy.unwrap()(instance);
        record.destroy.unwrap()(null_mut());
    }
}
