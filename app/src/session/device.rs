//! Where a run computes: `auto`, `cpu`, `cuda:N`, `metal`, with errors that say what is missing and what to do.
#![forbid(unsafe_code)]

use candle_core::Device;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU this build and machine can use, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
    /// The Metal device.
    Metal,
}

/// A device that cannot be had.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DeviceError {
    /// Not a name.
    #[error("device `{0}` is not known: write auto, cpu, cuda:N or metal")]
    Unknown(String),
    /// Not in this build.
    #[error("this build has no {device} support; build it with `cargo build --release --features {feature}`, or use --device cpu")]
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

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_owned());
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => text.strip_prefix("cuda:").and_then(|index| index.parse().ok()).map(Self::Cuda).ok_or_else(unknown),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl DeviceChoice {
    /// The device, with the choice that `auto` came to.
    ///
    /// # Errors
    /// When it is not in this build or not usable on this machine.
    pub fn open(self) -> Result<(Device, Self), DeviceError> {
        match self {
            Self::Cpu => Ok((Device::Cpu, self)),
            Self::Cuda(index) => Ok((cuda(index)?, self)),
            Self::Metal => Ok((metal()?, self)),
            Self::Auto => {
                if cfg!(feature = "cuda")
                    && let Ok(device) = cuda(0)
                {
                    return Ok((device, Self::Cuda(0)));
                }
                if cfg!(feature = "metal")
                    && let Ok(device) = metal()
                {
                    return Ok((device, Self::Metal));
                }
                Ok((Device::Cpu, Self::Cpu))
            }
        }
    }
}

fn cuda(index: usize) -> Result<Device, DeviceError> {
    if !cfg!(feature = "cuda") {
        return Err(DeviceError::NotBuilt { device: "CUDA", feature: "cuda" });
    }
    open(format!("cuda:{index}"), move || Device::new_cuda(index))
}

fn metal() -> Result<Device, DeviceError> {
    if !cfg!(feature = "metal") {
        return Err(DeviceError::NotBuilt { device: "Metal", feature: "metal" });
    }
    open("metal".to_owned(), || Device::new_metal(0))
}

/// Opens a GPU; the driver's bindings panic where its library is missing, which counts as unavailable.
fn open(device: String, new: impl FnOnce() -> candle_core::Result<Device> + std::panic::UnwindSafe) -> Result<Device, DeviceError> {
    match std::panic::catch_unwind(new) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(DeviceError::Unavailable { device, reason: error.to_string() }),
        Err(_) => Err(DeviceError::Unavailable { device, reason: "its driver library could not be loaded".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in ["auto", "cpu", "cuda:3", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert!("cuda:x".parse::<DeviceChoice>().is_err() && "gpu".parse::<DeviceChoice>().is_err());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_built_in_says_how_to_build_it() {
        let error = DeviceChoice::Cuda(0).open().unwrap_err();
        assert!(error.to_string().contains("--features cuda"), "{error}");
        assert_eq!(DeviceChoice::Auto.open().unwrap().1, DeviceChoice::Cpu);
    }
}
