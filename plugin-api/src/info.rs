//! What a strategy says of itself: [`Info`] and the words it is made of.

#![forbid(unsafe_code)]

use crate::abi;

/// What a strategy writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A signal guess E_l at each site.
    Signal = abi::GW_KIND_SIGNAL,
    /// A weight direction V_l at each site.
    Weight = abi::GW_KIND_WEIGHT,
    /// The estimate ĝ_l itself.
    Estimate = abi::GW_KIND_ESTIMATE,
    /// The next point, found by calling oracles.
    Search = abi::GW_KIND_SEARCH,
}

/// What a strategy may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// Weight of a site, n_l × n_{l-1}. `pull_back` counts as a use of it.
    Weight = abi::GW_ROLE_WEIGHT,
    /// Bias of a site, 1 × n_l.
    Bias = abi::GW_ROLE_BIAS,
    /// Input X_{l-1} of a site, (B·P) × n_{l-1}.
    Input = abi::GW_ROLE_INPUT,
    /// Pre-activation S_l, (B·P) × n_l.
    PreActivation = abi::GW_ROLE_PRE_ACTIVATION,
    /// Activation derivative M_l, (B·P) × n_l; ones where no activation follows.
    Derivative = abi::GW_ROLE_DERIVATIVE,
    /// Activation X_l, (B·P) × n_l.
    Activation = abi::GW_ROLE_ACTIVATION,
    /// Logits S_L, B × C.
    Logits = abi::GW_ROLE_LOGITS,
    /// Output error p − y, B × C.
    OutputError = abi::GW_ROLE_OUTPUT_ERROR,
    /// Labels as class indices, B × 1.
    Labels = abi::GW_ROLE_LABELS,
    /// The estimate of the step before: weight (index 0) or bias (index 1) of a site.
    PreviousEstimate = abi::GW_ROLE_PREVIOUS_ESTIMATE,
    /// The update of the step before: weight (index 0) or bias (index 1) of a site.
    PreviousUpdate = abi::GW_ROLE_PREVIOUS_UPDATE,
    /// The exact gradient: weight (index 0) or bias (index 1) of a site. Diagnostic runs only.
    Gradient = abi::GW_ROLE_GRADIENT,
}

/// A service of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Service {
    /// Matrix operations.
    Ops = abi::GW_SERVICE_OPS,
    /// Counter-based random numbers.
    Rng = abi::GW_SERVICE_RNG,
    /// Function values and directional derivatives.
    Oracle = abi::GW_SERVICE_ORACLE,
    /// Named scalars and series.
    Metrics = abi::GW_SERVICE_METRICS,
    /// Messages.
    Log = abi::GW_SERVICE_LOG,
    /// Whether the run was cancelled.
    Control = abi::GW_SERVICE_CONTROL,
    /// Scratch matrices.
    Scratch = abi::GW_SERVICE_SCRATCH,
}

/// A property that a strategy promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Flag {
    /// The same seed gives the same guess, bit for bit.
    Deterministic = abi::GW_STRATEGY_DETERMINISTIC,
    /// Nothing is remembered between steps.
    Stateless = abi::GW_STRATEGY_STATELESS,
    /// The guess is a linear image of isotropic noise.
    Linear = abi::GW_STRATEGY_LINEAR,
    /// Its scalars are meant to be differences of losses: a lane that names no source of them gets those.
    Differences = abi::GW_STRATEGY_DIFFERENCES,
    /// Its guesses are meant to be the estimate as they are: a lane that names no source of scalars takes none.
    Unscaled = abi::GW_STRATEGY_UNSCALED,
}

/// Data types and devices of tensors.
pub(crate) const ALL_DTYPES: u32 = 1 << abi::GW_F32 | 1 << abi::GW_F64;
const ALL_DEVICES: u32 = 1 << abi::GW_CPU | 1 << abi::GW_CUDA | 1 << abi::GW_METAL;

/// Identity and demands of a strategy; a constant built by chaining.
///
/// ```
/// use guesswork_plugin::{Flag, Info, Kind, Role, Service};
/// const INFO: Info = Info::new("org.example.masked-noise", Kind::Signal)
///     .name("Masked noise")
///     .formula("E_l = ε ⊙ M_l")
///     .needs(&[Role::Derivative])
///     .services(&[Service::Ops, Service::Rng])
///     .flags(&[Flag::Deterministic, Flag::Stateless]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Info {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) description: &'static str,
    pub(crate) formula: &'static str,
    pub(crate) citation: &'static str,
    pub(crate) licence: &'static str,
    pub(crate) kind: Kind,
    pub(crate) dtypes: u32,
    pub(crate) devices: u32,
    pub(crate) flags: u64,
    pub(crate) needs: u64,
    pub(crate) wants: u64,
    pub(crate) services: u64,
}

impl Info {
    /// A strategy with this stable identity: a plain word for those that ship with Guesswork, a reversed domain name
    /// for others. All data types and devices, as fits a strategy that touches tensors by operations only.
    pub const fn new(id: &'static str, kind: Kind) -> Self {
        Self {
            id,
            name: id,
            version: "0.1.0",
            description: "",
            formula: "",
            citation: "",
            licence: "",
            kind,
            dtypes: ALL_DTYPES,
            devices: ALL_DEVICES,
            flags: 0,
            needs: 0,
            wants: 0,
            services: 0,
        }
    }

    /// Name for people; the id when left out.
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Semantic version, `env!("CARGO_PKG_VERSION")` as a rule.
    pub const fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// One or two sentences.
    pub const fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// One line of Unicode mathematics.
    pub const fn formula(mut self, formula: &'static str) -> Self {
        self.formula = formula;
        self
    }

    /// Where it comes from.
    pub const fn citation(mut self, citation: &'static str) -> Self {
        self.citation = citation;
        self
    }

    /// SPDX expression.
    pub const fn licence(mut self, licence: &'static str) -> Self {
        self.licence = licence;
        self
    }

    /// Roles without which it cannot run.
    pub const fn needs(mut self, roles: &[Role]) -> Self {
        self.needs |= roles_mask(roles);
        self
    }

    /// Roles it uses when they are granted.
    pub const fn wants(mut self, roles: &[Role]) -> Self {
        self.wants |= roles_mask(roles);
        self
    }

    /// Needed roles as a raw mask, for roles that this version of the crate does not name.
    pub const fn needs_mask(mut self, mask: u64) -> Self {
        self.needs |= mask;
        self
    }

    /// Services without which it cannot run.
    pub const fn services(mut self, services: &[Service]) -> Self {
        let mut i = 0;
        while i < services.len() {
            self.services |= 1 << services[i] as u32;
            i += 1;
        }
        self
    }

    /// Promises.
    pub const fn flags(mut self, flags: &[Flag]) -> Self {
        let mut i = 0;
        while i < flags.len() {
            self.flags |= flags[i] as u64;
            i += 1;
        }
        self
    }

    /// It reads tensors directly and so runs on the CPU only.
    pub const fn cpu_only(mut self) -> Self {
        self.devices = 1 << abi::GW_CPU;
        self
    }
}

const fn roles_mask(roles: &[Role]) -> u64 {
    let (mut mask, mut i) = (0, 0);
    while i < roles.len() {
        mask |= 1 << roles[i] as u32;
        i += 1;
    }
    mask
}
