//! What a lane's settings must be, whatever its strategy: ranges of numbers, what goes with what. The one place for these rules:
//! files, forms and commands to a running session are held to them alike.

use super::{BACKPROP, LaneSpec, MIXTURE, OptimizerSpec, ScalarSource, ScheduleSpec};

/// What is wrong with a lane of a run of `steps` steps: the lane's field (`optimizer.lr`) and what was expected there.
pub fn check_lane(lane: &LaneSpec, steps: u64) -> Vec<(String, String)> {
    let mut rules = Rules { found: check_members(lane) };
    rules.need(lane.guesses != Some(0), "guesses", "expected at least 1 guess a step");
    let divides = |count: usize| count > 0 && lane.guesses.is_none_or(|guesses| guesses.is_multiple_of(count));
    rules.need(lane.at_once.is_none_or(divides), "at_once", "expected a divisor of `guesses`, 1 or more");
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

/// What is wrong with what a lane is a mixture of: the lane's field (`of[1].weight`) and what was expected there.
pub fn check_members(lane: &LaneSpec) -> Vec<(String, String)> {
    let mut rules = Rules { found: Vec::new() };
    if lane.strategy != MIXTURE {
        let text = "only a mixture is made of other strategies: write strategy: \"mixture\", or leave `of` out";
        rules.need(lane.of.is_empty(), "of", text);
        return rules.found;
    }
    let text = "a mixture needs at least one strategy, as of: [(strategy: \"weight-transpose\", weight: 1.0)]";
    rules.need(!lane.of.is_empty(), "of", text);
    let text = "a mixture has no parameters of its own: give them to its strategies in `of`";
    rules.need(lane.params.is_empty(), "params", text);
    for (place, member) in lane.of.iter().enumerate() {
        let wrong = match member.strategy.trim() {
            "" => Some("the strategy has no name"),
            BACKPROP => Some("`backprop` is the gradient itself and no guess: mix strategies that guess"),
            MIXTURE => Some("a mixture in a mixture: write its strategies here, their weights multiplied by its own"),
            _ => None,
        };
        rules.need(wrong.is_none(), &format!("of[{place}].strategy"), wrong.unwrap_or_default());
        let fine = member.weight.is_finite() && member.weight != 0.0;
        rules.need(
            fine,
            &format!("of[{place}].weight"),
            "expected a weight other than 0; leave the strategy out for none",
        );
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
