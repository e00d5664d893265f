//! Handles that come with a call for one site, in `gw_step`: its signals and its inputs, which most strategies want. What comes
//! with the call need not be asked for.
#![forbid(unsafe_code)]

use super::context::State;
use super::handles::Label;
use super::info::Kind;
use super::plan::Plan;
use super::services::Reply;
use guesswork_plugin::abi::{self, gw_step, gw_tensor};

/// What the forward pass has made of one site when its call comes.
const ROLES: [u32; 3] = [abi::GW_ROLE_PRE_ACTIVATION, abi::GW_ROLE_DERIVATIVE, abi::GW_ROLE_ACTIVATION];

/// The handles of the call under way.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// By guess; none for other kinds than `signal`.
    signals: Vec<gw_tensor>,
    /// By role.
    inputs: [gw_tensor; abi::GW_ROLE_COUNT as usize],
    /// Granted roles that are given.
    roles: Vec<u32>,
}

impl Given {
    /// What calls of a prepared instance come with.
    pub fn new(plan: &Plan, guesses: usize) -> Self {
        let signals = if plan.kind == Kind::Signal { guesses } else { 0 };
        let roles = ROLES.into_iter().filter(|&role| plan.granted.has(role)).collect();
        Self { signals: vec![abi::GW_NO_TENSOR; signals], inputs: Default::default(), roles }
    }

    /// Puts the handles into the record of a call for one site, the first of the call: those of the signals, then the inputs'.
    #[inline]
    pub fn hand_out(&mut self, state: &mut State<'_>, record: &mut gw_step) -> Reply<()> {
        let (Some(site), Some(outputs)) = (state.site, state.outputs) else { return Ok(()) };
        for (handle, (matrix, _)) in self.signals.iter_mut().zip(outputs.signals_at(site)) {
            *handle = state.handles.add(matrix, true, Label::Output(site))?;
        }
        for &role in &self.roles {
            let tape = state.tape;
            let tensor = match role {
                abi::GW_ROLE_PRE_ACTIVATION => tape.keeps_pre_activation(site).then(|| tape.pre_activation(site)),
                abi::GW_ROLE_ACTIVATION => Some(tape.activation(site)),
                _ => tape.derivative(site).or(state.prepared.ones[site].as_ref()),
            };
            self.inputs[role as usize] = match tensor {
                Some(tensor) => state.handles.add(tensor, false, Label::Input(role, Some(site)))?,
                None => abi::GW_NO_TENSOR,
            };
        }
        if !self.signals.is_empty() {
            record.signals = self.signals.as_ptr();
        }
        (record.inputs, record.inputs_count) = (self.inputs.as_ptr(), self.inputs.len() as u64);
        Ok(())
    }

    /// After the call: tells the outputs which of its signals were written.
    #[inline]
    pub fn take_back(&self, state: &State<'_>) {
        if let (Some(site), Some(outputs)) = (state.site, state.outputs) {
            for (guess, (_, written)) in (0..self.signals.len()).zip(outputs.signals_at(site)) {
                written.set(written.get() || state.handles.touched(guess));
            }
        }
    }
}
