//! What a lane's settings must be, whatever its strategy: ranges of numbers, what goes with what. The one place for these rules:
//! files, forms and commands to a running session are held to them alike.

use super::{LaneSpec, OptimizerSpec, ScalarSource, ScheduleSpec};

/// What is wrong with a lane of a run of `steps` steps: the lane's field (`optimizer.lr`) and what was expected there.
pub fn check_lane(lane: &LaneSpec, steps: u64) -> Vec<(String, String)> {
    let mut rules = Rules { found: Vec::new() };
    rules.need(lane.guesses != Some(0), "guesses", "expected at least 1 guess a step");
    rules.need(lane.clip.is_none_or(|clip| clip > 0.0), "clip", "expected a bound above 0");
    if let Some(ScalarSource::Central(step) | ScalarSource::OneSided(step)) = lane.source {
        let fine = step > 0.0 && step.is_finite();
        rules.need(fine, "source", "expected a step of the difference above 0");
    }
    if let Some(optimizer) = lane.optimizer {
        rules.optimizer(optimizer);
    }
    if let Some(schedule) = lane.schedule {
        rules.schedule(schedule, steps);
    }
    rules.found
}

struct Rules {
    found: Vec<(String, String)>,
}

impl Rules {
    /// Notes that `message` holds of `field`, unless `fine`.
    fn need(&mut self, fine: bool, field: &str, message: impl Into<String>) {
        if !fine {
            self.found.push((field.to_owned(), message.into()));
        }
    }

    fn optimizer(&mut self, optimizer: OptimizerSpec) {
        let lr = optimizer.lr();
        self.need(lr >= 0.0 && lr.is_finite(), "optimizer.lr", "expected a learning rate of at least 0");
        let decay = |rules: &mut Self, field: &str, value: f64| {
            let fine = (0.0..1.0).contains(&value);
            rules.need(fine, &format!("optimizer.{field}"), "expected a number from 0, below 1");
        };
        let moments = |rules: &mut Self, beta1: f64, beta2: f64, epsilon: f64| {
            decay(rules, "beta1", beta1);
            decay(rules, "beta2", beta2);
            rules.need(epsilon > 0.0, "optimizer.epsilon", "expected a number above 0");
        };
        let weight_decay = match optimizer {
            OptimizerSpec::Sgd { momentum, nesterov, weight_decay, .. } => {
                decay(self, "momentum", momentum);
                let fine = !nesterov || momentum > 0.0;
                self.need(fine, "optimizer.nesterov", "Nesterov's form needs a momentum above 0");
                weight_decay
            }
            OptimizerSpec::Adam { beta1, beta2, epsilon, .. } => {
                moments(self, beta1, beta2, epsilon);
                0.0
            }
            OptimizerSpec::AdamW { beta1, beta2, epsilon, weight_decay, .. } => {
                moments(self, beta1, beta2, epsilon);
                weight_decay
            }
        };
        let fine = weight_decay >= 0.0 && weight_decay.is_finite();
        self.need(fine, "optimizer.weight_decay", "expected a weight decay of at least 0");
    }

    fn schedule(&mut self, schedule: ScheduleSpec, steps: u64) {
        let positive = |factor: f64| factor > 0.0 && factor.is_finite();
        match schedule {
            ScheduleSpec::Constant => {}
            ScheduleSpec::Step { every, factor } => {
                self.need(every > 0, "schedule.every", "expected at least 1 step between drops");
                self.need(positive(factor), "schedule.factor", "expected a factor above 0");
            }
            ScheduleSpec::Cosine { warm_up, floor } => {
                let fine = warm_up == 0 || warm_up < steps;
                self.need(fine, "schedule.warm_up", format!("expected fewer than the {steps} steps of the run"));
                self.need((0.0..=1.0).contains(&floor), "schedule.floor", "expected a factor from 0 to 1");
            }
            ScheduleSpec::Exponential { factor } => {
                self.need(positive(factor), "schedule.factor", "expected a factor above 0");
            }
            ScheduleSpec::WarmUp { steps } => {
                self.need(steps > 0, "schedule.steps", "expected at least 1 step of warm-up");
            }
        }
    }
}
