//! Roles of inputs and host services as sets, and what a run grants of them.
//!
//! `granted = needs ∪ (wants ∩ available)`. Knows names and rules only, no tensors.
#![forbid(unsafe_code)]

use guesswork_plugin::abi;
use serde::Serialize;
use std::fmt;
use std::ops::{BitAnd, BitOr};

const ROLE_NAMES: [&str; abi::GW_ROLE_COUNT as usize] = [
    "weight",
    "bias",
    "input",
    "pre-activation",
    "derivative",
    "activation",
    "logits",
    "output error",
    "labels",
    "previous estimate",
    "previous update",
    "gradient",
];

const SERVICE_NAMES: [&str; abi::GW_SERVICE_COUNT as usize] =
    ["ops", "rng", "oracle", "metrics", "log", "control", "scratch"];

/// A set of input roles, bit `GW_ROLE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Roles(pub u64);

/// A set of host services, bit `GW_SERVICE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Services(pub u64);

macro_rules! set {
    ($set:ident, $names:ident, $count:expr) => {
        impl $set {
            /// Every member this version knows.
            pub const ALL: Self = Self((1 << $count) - 1);

            /// The set of one member.
            pub const fn one(bit: u32) -> Self {
                Self(if bit < 64 { 1 << bit } else { 0 })
            }

            /// Whether `bit` is a member.
            pub const fn has(self, bit: u32) -> bool {
                bit < 64 && self.0 >> bit & 1 == 1
            }

            /// Whether there is no member.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The members that are not in `other`.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The members this version does not know.
            pub const fn unknown(self) -> Self {
                self.without(Self::ALL)
            }

            /// Names of the members in order; a number for one this version does not know.
            pub fn names(self) -> Vec<String> {
                (0..64).filter(|&bit| self.has(bit)).map(Self::name).collect()
            }

            /// Name of one member.
            pub fn name(bit: u32) -> String {
                match $names.get(bit as usize) {
                    Some(name) => (*name).to_owned(),
                    None => format!("number {bit} (unknown to this version)"),
                }
            }
        }

        impl fmt::Display for $set {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.is_empty() {
                    formatter.write_str("none")
                } else {
                    formatter.write_str(&self.names().join(", "))
                }
            }
        }

        impl BitOr for $set {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl BitAnd for $set {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }
    };
}

set!(Roles, ROLE_NAMES, abi::GW_ROLE_COUNT);
set!(Services, SERVICE_NAMES, abi::GW_SERVICE_COUNT);

/// What a run offers to a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Input roles.
    pub roles: Roles,
    /// Services.
    pub services: Services,
}

impl Offer {
    /// An ordinary run: everything but the exact gradient, which only a diagnostic run offers, and the oracle, which a
    /// run offers when it can answer.
    pub fn new(diagnostic: bool, oracle: bool) -> Self {
        let gradient = Roles::one(abi::GW_ROLE_GRADIENT);
        let asking = Services::one(abi::GW_SERVICE_ORACLE);
        Self {
            roles: if diagnostic { Roles::ALL } else { Roles::ALL.without(gradient) },
            services: if oracle { Services::ALL } else { Services::ALL.without(asking) },
        }
    }

    /// What a strategy with these masks is granted.
    ///
    /// # Errors
    /// A sentence that names what it needs and the run does not offer.
    pub fn grant(&self, needs: Roles, wants: Roles, services: Services) -> Result<(Roles, Services), String> {
        let missing = needs.without(self.roles);
        if !missing.is_empty() {
            let why = if missing == Roles::one(abi::GW_ROLE_GRADIENT) {
                "; the exact gradient is there only in a run marked as a diagnostic"
            } else {
                ""
            };
            return Err(format!("it needs the input {missing}, which this run does not offer{why}"));
        }
        let missing = services.without(self.services);
        if !missing.is_empty() {
            let why = if missing == Services::one(abi::GW_SERVICE_ORACLE) {
                "; oracles answer about the logits in a lane with global losses"
            } else {
                ""
            };
            return Err(format!("it needs the service {missing}, which this run does not offer{why}"));
        }
        Ok((needs | (wants & self.roles), self.services))
    }
}

/// Whether the granted inputs suffice to build the true gradient: the gradient itself, or labels or the output error
/// together with the weights (which `pull_back` reads too, and is refused without).
pub fn gradient_capable(granted: Roles) -> bool {
    let target = granted.has(abi::GW_ROLE_LABELS) || granted.has(abi::GW_ROLE_OUTPUT_ERROR);
    granted.has(abi::GW_ROLE_GRADIENT) || (target && granted.has(abi::GW_ROLE_WEIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_granted_or_refused_by_name_and_wants_as_far_as_there_are() {
        let offer = Offer::new(false, false);
        let (weight, gradient) = (Roles::one(abi::GW_ROLE_WEIGHT), Roles::one(abi::GW_ROLE_GRADIENT));
        let ops = Services::one(abi::GW_SERVICE_OPS);
        let (granted, services) = offer.grant(weight, gradient | Roles(1 << 60), ops).unwrap();
        assert_eq!(granted, weight);
        assert!(services.has(abi::GW_SERVICE_RNG) && !services.has(abi::GW_SERVICE_ORACLE));
        assert_eq!(
            offer.grant(Roles(1 << 60), Roles(0), ops).unwrap_err(),
            "it needs the input number 60 (unknown to this version), which this run does not offer"
        );
        assert!(offer.grant(gradient, Roles(0), ops).unwrap_err().ends_with("marked as a diagnostic"));
        assert!(Offer::new(true, false).grant(gradient, Roles(0), ops).is_ok());
        let oracle = Services::one(abi::GW_SERVICE_ORACLE);
        assert!(offer.grant(weight, Roles(0), oracle).unwrap_err().contains("service oracle"));
    }

    #[test]
    fn the_gradient_can_be_built_from_labels_and_weights_together() {
        let one = Roles::one;
        assert!(!gradient_capable(one(abi::GW_ROLE_LABELS)));
        assert!(!gradient_capable(one(abi::GW_ROLE_WEIGHT) | one(abi::GW_ROLE_LOGITS)));
        assert!(gradient_capable(one(abi::GW_ROLE_WEIGHT) | one(abi::GW_ROLE_OUTPUT_ERROR)));
        assert!(gradient_capable(one(abi::GW_ROLE_WEIGHT) | one(abi::GW_ROLE_LABELS)));
    }
}
