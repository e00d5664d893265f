//! Where a run computes: `auto`, `cpu`, `cuda:N`, `metal`, with errors that say what is missing and what to do.
#![forbid(unsafe_code)]

use crate::options::DeviceChoice;
use candle_core::Device;
use thiserror::Error;

/// A device that cannot be had.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DeviceError {
    /// Not in this build.
    #[error(
        "this build has no {device} support; build it with `cargo build --release --features {feature}`, or use --device cpu"
    )]
    NotBuilt {
        /// Name for people.
        device: &'static str,
        /// Cargo feature.
        feature: &'static str,
    },
    /// In this build, but not usable on this machine.
    #[error("{device} cannot be used on this machine: {reason}; use --device cpu, or check the driver")]
    Unavailable {
        /// Name for people.
        device: String,
        /// What the driver said.
        reason: String,
    },
}

/// The device of `choice`, with what `auto` came to, and its name: `cpu`, `cuda:0`, `metal`.
///
/// # Errors
/// When it is not in this build or not usable on this machine.
pub fn open(choice: DeviceChoice) -> Result<(Device, String), DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok((Device::Cpu, "cpu".to_owned())),
        DeviceChoice::Cuda(index) => Ok((cuda(index)?, format!("cuda:{index}"))),
        DeviceChoice::Metal => Ok((metal()?, "metal".to_owned())),
        DeviceChoice::Auto => {
            if cfg!(feature = "cuda")
                && let Ok(device) = cuda(0)
            {
                return Ok((device, "cuda:0".to_owned()));
            }
            if cfg!(feature = "metal")
                && let Ok(device) = metal()
            {
                return Ok((device, "metal".to_owned()));
            }
            Ok((Device::Cpu, "cpu".to_owned()))
        }
    }
}

fn cuda(index: usize) -> Result<Device, DeviceError> {
    if !cfg!(feature = "cuda") {
        return Err(DeviceError::NotBuilt { device: "CUDA", feature: "cuda" });
    }
    driver(format!("cuda:{index}"), move || Device::new_cuda(index))
}

fn metal() -> Result<Device, DeviceError> {
    if !cfg!(feature = "metal") {
        return Err(DeviceError::NotBuilt { device: "Metal", feature: "metal" });
    }
    driver("metal".to_owned(), || Device::new_metal(0))
}

/// Opens a GPU; the driver's bindings panic where its library is missing, which counts as unavailable.
fn driver(
    device: String,
    new: impl FnOnce() -> candle_core::Result<Device> + std::panic::UnwindSafe,
) -> Result<Device, DeviceError> {
    // Its panic is an answer, and no fault to be told of.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(new);
    std::panic::set_hook(hook);
    match opened {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(DeviceError::Unavailable { device, reason: error.to_string() }),
        Err(_) => Err(DeviceError::Unavailable { device, reason: "its driver library could not be loaded".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_built_in_says_how_to_build_it() {
        let error = open(DeviceChoice::Cuda(0)).unwrap_err();
        assert!(error.to_string().contains("--features cuda"), "{error}");
        assert_eq!(open(DeviceChoice::Auto).unwrap().1, "cpu");
    }
}
