//! What the horizontal axis of a curve counts.

use crate::record::LaneInfo;

/// What the horizontal axis of a curve counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Steps.
    #[default]
    Steps,
    /// Training examples seen.
    Examples,
    /// Directional derivatives: the scalars that multiply guesses.
    Derivatives,
    /// Floating-point operations of training steps, counted from shapes.
    Flop,
    /// Seconds of training, measuring excluded.
    Seconds,
}

impl Unit {
    /// What the axis says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Steps => "step",
            Self::Examples => "training examples",
            Self::Derivatives => "directional derivatives",
            Self::Flop => "FLOP",
            Self::Seconds => "seconds of training",
        }
    }

    /// Where a lane stands after `step` steps and `seconds` of training. `None` where it uses nothing of this.
    pub fn place(self, lane: &LaneInfo, step: f64, seconds: f64) -> Option<f64> {
        let each = match self {
            Self::Steps => return Some(step),
            Self::Seconds => return Some(seconds),
            Self::Examples => lane.batch as f64,
            Self::Derivatives => lane.derivatives() as f64,
            Self::Flop => lane.flop as f64,
        };
        (each > 0.0).then_some(each * step)
    }
}
