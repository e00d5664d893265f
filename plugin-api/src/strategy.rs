//! The trait that a strategy implements.

#![forbid(unsafe_code)]

use crate::error::Result;
use crate::info::Info;
use crate::model::{Model, Plan};
use crate::param::Param;
use crate::step::Step;
use serde::de::DeserializeOwned;

/// What came of a step.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// Training loss of the batch, before the update.
    pub loss: f64,
    /// The scalars d, guess by guess: 1, L, B or L·B of them by scope; with local losses as many for each part of the
    /// model in place of 1, and for each copy of a loss.
    pub scalars: &'a [f64],
    /// Euclidean norm ‖ĝ‖ of the estimate.
    pub estimate_norm: f64,
}

/// A way to guess gradients.
///
/// An instance is created, prepared for a model (again when the model or the batch changes), and then asked to propose
/// at every step, one call at a time but not always from the same thread. A panic in any method becomes an error of
/// the lane and ends the instance.
pub trait Strategy: Sized + Send + 'static {
    /// The typed parameters; `()` where there are none.
    type Params: DeserializeOwned;

    /// Identity and demands.
    const INFO: Info;

    /// The schema of the parameters, keys as the fields of [`Strategy::Params`].
    const PARAMS: &'static [Param] = &[];

    /// Makes an instance.
    ///
    /// # Errors
    /// When parameters that are valid each by itself do not fit together.
    fn create(params: Self::Params) -> Result<Self>;

    /// Looks at the model and decides how it will be called. By default layer by layer.
    ///
    /// # Errors
    /// When the strategy makes no sense for the model: says why.
    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        let _ = (model, plan);
        Ok(())
    }

    /// Writes the outputs of every guess at the sites of the call.
    ///
    /// # Errors
    /// Stops the lane with the text.
    fn propose(&mut self, step: &mut Step<'_>) -> Result;

    /// Is told what came of the guess.
    ///
    /// # Errors
    /// Stops the lane with the text.
    fn observe(&mut self, step: &mut Step<'_>, outcome: &Outcome<'_>) -> Result {
        let _ = (step, outcome);
        Ok(())
    }

    /// Forgets everything learned since `prepare`.
    ///
    /// # Errors
    /// Stops the lane with the text.
    fn reset(&mut self) -> Result {
        Ok(())
    }

    /// The state that a checkpoint must hold, besides persistent matrices. Not called for a
    /// [`Flag::Stateless`](crate::Flag::Stateless) strategy.
    ///
    /// # Errors
    /// Refuses the checkpoint with the text.
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes up what [`Strategy::save`] returned.
    ///
    /// # Errors
    /// When the bytes are not such a state.
    fn load(&mut self, bytes: &[u8]) -> Result {
        let _ = bytes;
        Ok(())
    }
}
