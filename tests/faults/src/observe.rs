//! A strategy that behaves well when it proposes, and writes to an input when it is told what came of a step.

use guesswork_plugin::{DType, Info, Kind, Outcome, Param, Result, Role, Service, Step, Strategy};

/// E_l ~ N(0, I); the derivative of the first site is written to in `observe` of step `at`.
#[derive(Debug)]
pub struct WritesInputWhenToldOfStep(super::Params);

impl Strategy for WritesInputWhenToldOfStep {
    type Params = super::Params;

    const INFO: Info = Info::new("fault-observe-writes-input", Kind::Signal)
        .description("Writes to an input in `observe`, for tests.")
        .formula("E_l ~ N(0, I)")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Derivative])
        .services(&[Service::Ops, Service::Rng])
        .cpu_only();

    const PARAMS: &'static [Param] =
        &[Param::int("at", 100).range(0, 1 << 40).doc("The step at which the rule is broken.")];

    fn create(params: super::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        step.each_guess(super::noise)
    }

    fn observe(&mut self, step: &mut Step<'_>, _: &Outcome<'_>) -> Result {
        if step.step() != self.0.at {
            return Ok(());
        }
        let derivative = step.input(Role::Derivative, 0)?;
        match step.model().dtype {
            DType::F32 => super::scribble(step, derivative, 7.0_f32),
            _ => super::scribble(step, derivative, 7.0_f64),
        }
    }
}
