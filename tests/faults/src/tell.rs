//! A strategy that breaks no rule: it tells of a metric and a message when it proposes, so that a test sees whose they are.

use guesswork_plugin::{CallMode, Info, Kind, Level, Model, Param, Plan, Result, Service, Step, Strategy};

/// E_l ~ N(0, I).
#[derive(Debug)]
pub struct Tells(super::Params);

impl Strategy for Tells {
    type Params = super::Params;

    const INFO: Info = Info::new("fault-tells", Kind::Signal)
        .description("Tells of a metric and a message, for tests.")
        .formula("E_l ~ N(0, I)")
        .licence(env!("CARGO_PKG_LICENSE"))
        .services(&[Service::Ops, Service::Rng, Service::Metrics, Service::Log])
        .cpu_only();

    const PARAMS: &'static [Param] =
        &[Param::int("at", 0).range(0, 1 << 40).doc("The first step at which it tells of something.")];

    fn create(params: super::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        if step.step() >= self.0.at {
            step.metric("at", self.0.at as f64)?;
            step.log(Level::Warn, &format!("told at step {}", step.step()));
        }
        step.each_guess(super::noise)
    }
}
