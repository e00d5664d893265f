//! The learning rate over time.
#![forbid(unsafe_code)]

use crate::workspace::ScheduleSpec;
use std::f64::consts::PI;

/// Factor of the learning rate at `step` of `steps` (both from 0; `steps` is the length of the run).
pub fn factor(schedule: ScheduleSpec, step: u64, steps: u64) -> f64 {
    match schedule {
        ScheduleSpec::Constant => 1.0,
        ScheduleSpec::Step { every, factor } => factor.powf((step / every.max(1)) as f64),
        ScheduleSpec::Exponential { factor } => factor.powf(step as f64),
        ScheduleSpec::WarmUp { steps } => rise(step, steps),
        ScheduleSpec::Cosine { warm_up, floor } => {
            if step < warm_up {
                return rise(step, warm_up);
            }
            let length = steps.saturating_sub(warm_up).max(1) as f64;
            let way = ((step - warm_up) as f64 / length).min(1.0);
            floor + (1.0 - floor) * 0.5 * (1.0 + (PI * way).cos())
        }
    }
}

fn rise(step: u64, steps: u64) -> f64 {
    if step >= steps { 1.0 } else { (step + 1) as f64 / steps as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_take_their_stated_values() {
        assert_eq!(factor(ScheduleSpec::Constant, 7, 10), 1.0);
        assert_eq!(factor(ScheduleSpec::Step { every: 10, factor: 0.5 }, 29, 100), 0.25);
        assert!((factor(ScheduleSpec::Exponential { factor: 0.9 }, 3, 100) - 0.729).abs() < 1e-12);
        assert_eq!(factor(ScheduleSpec::WarmUp { steps: 4 }, 0, 100), 0.25);
        assert_eq!(factor(ScheduleSpec::WarmUp { steps: 4 }, 4, 100), 1.0);
        let cosine = ScheduleSpec::Cosine { warm_up: 10, floor: 0.1 };
        assert_eq!(factor(cosine, 4, 110), 0.5);
        assert_eq!(factor(cosine, 10, 110), 1.0);
        assert!((factor(cosine, 60, 110) - 0.55).abs() < 1e-12);
        assert!((factor(cosine, 110, 110) - 0.1).abs() < 1e-12);
    }
}
