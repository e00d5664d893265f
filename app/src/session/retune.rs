//! Changing a lane's settings while it runs, between two steps: its weights, its curve and its place in the batches stay.
//!
//! | changes live | does not |
//! |---|---|
//! | learning rate, optimizer, schedule | the strategy, or those of a mixture: copy the lane to compare others |
//! | scope, K, how many at once, combination, scaling, normalisation, clip, source, output | the seed: the weights began from it |
//! | the strategies' parameters, a mixture's weights | architecture, losses, batch, data: the network was built for them |
//!
//! Whatever can fail is done before anything is changed: a refused change leaves the lane as it was.
#![forbid(unsafe_code)]

use super::SessionError;
use super::build::Shared;
use super::describe;
use super::failure::LaneFailure;
use super::guess::{Guesser, choose, own_source};
use super::lane::Lane;
use super::plan::LanePlan;
use super::prober::Prober;
use crate::estimate::{Estimator, Settings};
use crate::kernel;
use crate::record::{LaneChange, LaneInfo, Level, Message};
use crate::workspace::{LaneSpec, check_lane, differences};
use candle_core::Tensor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

impl Lane {
    /// Goes over to the settings of `spec`, whose name and seeds do not count. `None` when it has them already.
    ///
    /// # Errors
    /// Another strategy; settings without meaning for it; what its plugin refuses. The lane is as it was then.
    pub(super) fn retune(
        &mut self,
        shared: &Shared,
        spec: &LaneSpec,
        cancelled: Arc<AtomicBool>,
    ) -> Result<Option<LaneChange>, SessionError> {
        let old = &self.plan.spec;
        let refuse = |reason: String| SessionError::Lane { lane: self.plan.name.clone(), reason };
        if spec.strategy != old.strategy {
            let (is, wanted) = (&old.strategy, &spec.strategy);
            return Err(refuse(format!("it runs `{is}` and keeps it; add a lane to compare `{wanted}`")));
        }
        if spec.losses.unwrap_or_default() != old.losses.unwrap_or_default() {
            return Err(refuse(
                "losses: its network was built for those it has; add a lane to compare others".to_owned(),
            ));
        }
        let spec = LaneSpec { name: old.name.clone(), seeds: old.seeds.clone(), ..spec.clone() };
        if let Some((field, message)) = check_lane(&spec, self.plan.steps).into_iter().next() {
            return Err(refuse(format!("{field}: {message}")));
        }
        let plan = LanePlan { spec, ..self.plan.clone() };
        let rebuilt = self.rebuilt(shared, &plan, cancelled.clone())?;
        let prober = match (&rebuilt, &self.prober) {
            (Some(_), Some(present)) => {
                let guesses = present.guesses();
                Some(Prober::new(shared, &plan, &self.network, &self.tape, cancelled, guesses)?)
            }
            _ => None,
        };
        let optimizer = plan.spec.optimizer.unwrap_or_default();
        let schedule = plan.spec.schedule.unwrap_or_default();
        let kept = self.optimizer.retune(optimizer, self.network.theta())?;
        self.schedule = schedule;
        if let Some((guesser, estimator, whole)) = rebuilt {
            (self.guesser, self.estimator) = (Some(guesser), estimator);
            self.prober = prober;
            if !whole {
                self.tell("the strategy's own state began anew with the new settings".to_owned());
            }
        }
        if !kept {
            self.tell("the optimizer's moments began anew at zero".to_owned());
        }
        let before = self.info.spec.clone();
        let info = describe::info(shared, &plan, &self.network, self.guesser.as_ref(), self.estimator.as_ref());
        let info = LaneInfo { steps: self.info.steps, ..info };
        let changes = differences(&before, &info.spec);
        self.plan = plan;
        self.info = Arc::new(info);
        if changes.is_empty() {
            return Ok(None);
        }
        let change = LaneChange {
            lane: self.plan.lane,
            step: self.steps_taken,
            changes,
            spec: self.info.spec.clone(),
            scope: self.info.scope,
            flop: self.info.flop,
        };
        self.change = Some(change.clone());
        Ok(Some(change))
    }

    /// Guesser and estimator for `plan`, and whether the strategy's state came along; `None` when the present ones serve.
    fn rebuilt(
        &mut self,
        shared: &Shared,
        plan: &LanePlan,
        cancelled: Arc<AtomicBool>,
    ) -> Result<Option<(Guesser, Option<Estimator>, bool)>, SessionError> {
        let Some(present) = &mut self.guesser else { return Ok(None) };
        let refuse = |reason: String| SessionError::Lane { lane: plan.name.clone(), reason };
        let (chosen, _) = choose(shared, plan)?;
        let settings = Settings::resolve(&plan.spec, &shared.defaults, present.kind(), own_source(&chosen))
            .map_err(|error| refuse(error.to_string()))?;
        if !present.has_strategies(&chosen) {
            let text = "of: it keeps the strategies that it mixes, in their order; add a lane to compare others";
            return Err(refuse(text.to_owned()));
        }
        let same_params = present.has_params(&chosen);
        if settings == *present.settings() && same_params && present.has_weights(&chosen) {
            return Ok(None);
        }
        let (bytes, tensors) = present.state().map_err(|failure| refuse(failure.to_string()))?;
        let fresh = || Guesser::new(shared, plan, &self.network, &self.tape, cancelled.clone(), 0);
        let mut guesser = fresh()?;
        let estimator = guesser.estimator(&self.tape, &self.network)?;
        let mut whole = true;
        if !(bytes.is_empty() && tensors.is_empty()) {
            let take = |name: &str, into: &Tensor| {
                let found = tensors.iter().find(|(other, kept)| other == name && kept.dims() == into.dims());
                let Some((_, kept)) = found else { return Err(LaneFailure::engine("it has another shape now")) };
                Ok(kernel::copy(into, kept)?)
            };
            // State that was made with other parameters means something else.
            whole = same_params && guesser.restore(&bytes, &self.network, take).is_ok();
            if !whole {
                guesser = fresh()?;
            }
        }
        Ok(Some((guesser, estimator, whole)))
    }

    fn tell(&mut self, text: String) {
        let (lane, step) = (Some(self.plan.lane), Some(self.steps_taken));
        self.messages.push(Message { lane, step, level: Level::Info, text });
    }
}
