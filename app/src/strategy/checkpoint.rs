//! What an instance remembers: forgetting it, and carrying it through a checkpoint. The strategy's own bytes go through
//! `save` and `load`, persistent matrices are the host's.
#![allow(unsafe_code)]

use super::failure::{Failure, PluginError};
use super::instance::{Instance, host_failure};
use crate::kernel;
use candle_core::Tensor;
use guesswork_plugin::abi::{self, gw_writer};
use std::ffi::c_void;
use std::ptr;

/// Most bytes of an instance's state in a checkpoint.
const LARGEST_STATE: u64 = 1 << 30;

impl Instance {
    /// Makes the strategy forget what it learned, persistent matrices included.
    ///
    /// # Errors
    /// The plugin's own failure.
    pub fn reset(&mut self) -> Result<(), PluginError> {
        for (_, guarded) in self.prepared.iter().flat_map(|prepared| &prepared.persistent) {
            kernel::fill(guarded.tensor(), 0.0)
                .map_err(|error| self.error("reset", None, None, host_failure(&error)))?;
        }
        let Some(reset) = self.info.callable.record.reset else { return Ok(()) };
        // SAFETY: the instance is alive and between steps.
        self.plugin("reset", None, None, |_, raw, err| unsafe { reset(raw, err) })
    }

    /// The strategy's own state for a checkpoint; empty where it has none.
    ///
    /// # Errors
    /// The plugin's own failure; a state beyond 1 GiB.
    pub fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        let Some(save) = self.info.callable.record.save else { return Ok(Vec::new()) };
        let mut bytes: Vec<u8> = Vec::new();
        let writer = gw_writer {
            struct_size: size_of::<gw_writer>() as u64,
            ctx: ptr::from_mut(&mut bytes).cast(),
            write: Some(append),
        };
        // SAFETY: the instance is alive and between steps; the writer lives during the call.
        self.plugin("save", None, None, |_, raw, err| unsafe { save(raw, &writer, err) })?;
        Ok(bytes)
    }

    /// Gives the strategy back what [`Instance::save`] returned.
    ///
    /// # Errors
    /// The plugin's own failure; a state for a strategy that has none.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), PluginError> {
        match self.info.callable.record.load {
            // SAFETY: the instance is alive and between steps; the bytes live during the call.
            Some(load) => self.plugin("load", None, None, |_, raw, err| unsafe {
                load(raw, bytes.as_ptr(), bytes.len() as u64, err)
            }),
            None if bytes.is_empty() => Ok(()),
            None => {
                let text = format!("a state of {} bytes was saved, and it cannot load one", bytes.len());
                Err(self.error("load", None, None, Failure::Unsupported(text)))
            }
        }
    }

    /// The persistent matrices by name, for a checkpoint.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let all = self.prepared.iter().flat_map(|prepared| &prepared.persistent);
        all.map(|(name, guarded)| (name.clone(), guarded.tensor().clone())).collect()
    }

    /// Puts back what [`Instance::state`] returned; the instance must be prepared.
    ///
    /// # Errors
    /// A matrix that is missing or has other extents: says which.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<(), PluginError> {
        for (name, guarded) in self.prepared.iter().flat_map(|prepared| &prepared.persistent) {
            let found = state.iter().find(|(other, _)| other == name);
            let copied = match found {
                Some((_, tensor)) => kernel::copy(guarded.tensor(), tensor).map_err(|error| error.to_string()),
                None => Err("it is not in the checkpoint".to_owned()),
            };
            copied.map_err(|text| {
                self.error("load", None, None, Failure::Host(format!("persistent matrix `{name}`: {text}")))
            })?;
        }
        Ok(())
    }
}

/// `gw_writer.write`.
unsafe extern "C" fn append(ctx: *mut c_void, bytes: *const u8, len: u64) -> i32 {
    if ctx.is_null() || (bytes.is_null() && len > 0) {
        return abi::GW_INVALID_ARGUMENT;
    }
    // SAFETY: the writer's ctx is the vector of `save`, which lives during the call and is borrowed by nobody else.
    let state = unsafe { &mut *ctx.cast::<Vec<u8>>() };
    if len > LARGEST_STATE - (state.len() as u64).min(LARGEST_STATE) {
        return abi::GW_BUDGET;
    }
    if len > 0 {
        // SAFETY: not null, and the interface: that many bytes.
        state.extend_from_slice(unsafe { std::slice::from_raw_parts(bytes, len as usize) });
    }
    abi::GW_OK
}
