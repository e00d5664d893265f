//! What a strategy knows before training ([`Model`]) and decides then ([`Plan`]).

#![forbid(unsafe_code)]

use crate::abi;
use crate::info::{Role, Service};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $value:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// One that this version of the crate does not know.
            Other(u32),
        }

        impl From<u32> for $name {
            fn from(value: u32) -> Self {
                match value {
                    $(value if value == $value => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }
    };
}

words! {
    /// Element type of every tensor of a lane.
    DType {
        /// 32-bit float.
        F32 = abi::GW_F32,
        /// 64-bit float.
        F64 = abi::GW_F64,
    }
}

words! {
    /// Where a lane's tensors live.
    Device {
        /// Host memory.
        Cpu = abi::GW_CPU,
        /// CUDA device memory.
        Cuda = abi::GW_CUDA,
        /// Metal device memory.
        Metal = abi::GW_METAL,
    }
}

words! {
    /// How many scalars share a guess.
    Scope {
        /// One for the batch.
        Batch = abi::GW_SCOPE_BATCH,
        /// One a layer.
        Layer = abi::GW_SCOPE_LAYER,
        /// One an example.
        Example = abi::GW_SCOPE_EXAMPLE,
        /// One an example and layer.
        ExampleLayer = abi::GW_SCOPE_EXAMPLE_LAYER,
    }
}

words! {
    /// The kind of layer whose output a site is.
    LayerKind {
        /// Dense layer.
        Linear = abi::GW_LAYER_LINEAR,
        /// Two-dimensional convolution.
        Conv2d = abi::GW_LAYER_CONV2D,
        /// Normalisation with scale and shift.
        Norm = abi::GW_LAYER_NORM,
        /// Dense layers side by side on groups of columns; the weight's columns are those of one group.
        GroupedLinear = abi::GW_LAYER_GROUPED_LINEAR,
    }
}

/// A site: the output of a parametric layer, in execution order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Site {
    /// Name of the layer.
    pub name: String,
    /// Its kind.
    pub layer: LayerKind,
    /// Whether an activation follows directly.
    pub activated: bool,
    /// Width n_l of the output.
    pub width: usize,
    /// Rows an example, P_l.
    pub rows_per_example: usize,
    /// Rows and columns of the weight.
    pub weight: [usize; 2],
    /// Whether the layer has a bias.
    pub has_bias: bool,
    /// The sites reached from here without passing through another site; none for an output: the last site (the logits), or a head
    /// that scores a block.
    pub following: Vec<usize>,
}

/// The model and the run, as far as a strategy may know them before training.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Model {
    /// The sites, in execution order.
    pub sites: Vec<Site>,
    /// Examples in a batch, B. A step may have another: see `Step::batch`.
    pub batch: usize,
    /// Width of the logits, C.
    pub classes: usize,
    /// Element type.
    pub dtype: DType,
    /// Device.
    pub device: Device,
    /// Scope of the scalars.
    pub scope: Scope,
    /// Guesses a step, K.
    pub guesses: usize,
    /// Seed of every draw of the lane.
    pub seed: u64,
    /// What separates lanes of one seed.
    pub instance: u64,
    pub(crate) granted: u64,
    pub(crate) services: u64,
}

impl Model {
    /// Whether `role` may be read. What [`crate::Info::needs`] names always may.
    pub fn grants(&self, role: Role) -> bool {
        self.granted >> role as u32 & 1 == 1
    }

    /// Whether `service` may be used. What [`crate::Info::services`] names always may.
    pub fn offers(&self, service: Service) -> bool {
        self.services >> service as u32 & 1 == 1
    }

    /// How many sites are scored: 1, the logits, or more where blocks have losses of their own. Nothing follows them.
    pub fn outputs(&self) -> usize {
        self.sites.iter().filter(|site| site.following.is_empty()).count()
    }

    /// Number of layers between each site and the output it leads to, by the longest way: 0 at an output. All sites that
    /// follow a site are nearer to the logits than it.
    pub fn distances(&self) -> Vec<usize> {
        let mut distances = vec![0; self.sites.len()];
        for (index, site) in self.sites.iter().enumerate().rev() {
            let following = site.following.iter().filter(|&&next| next > index);
            distances[index] =
                following.filter_map(|&next| distances.get(next)).max().map_or(0, |distance| distance + 1);
        }
        distances
    }

    /// Whether the model is a plain chain of dense layers with an activation after each but the last. Only there is a
    /// pull-back over one layer sure to need nothing that comes later than the site it ends at: pooling, normalisation
    /// and activations after a sum of branches keep what they need when they are run themselves.
    pub fn is_chain(&self) -> bool {
        let last = self.sites.len().saturating_sub(1);
        self.sites.iter().enumerate().all(|(index, site)| {
            let links = if index == last { site.following.is_empty() } else { site.following == [index + 1] };
            links && site.layer == LayerKind::Linear && site.rows_per_example == 1 && (site.activated || index == last)
        })
    }
}

/// When `propose` is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallMode {
    /// For each site as soon as its pre-activation and activation exist.
    #[default]
    Layer,
    /// Once a step, after the whole forward pass.
    Model,
}

/// Where a signal guess is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignalAt {
    /// At the pre-activation, mask included.
    #[default]
    PreActivation,
    /// At the activation: the host multiplies it by M_l.
    Activation,
}

/// How a weight direction is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Dense weight and bias parts.
    #[default]
    Dense,
    /// Low-rank factors V_l = U Rᵀ, and a dense bias part.
    Factors {
        /// Rank r.
        rank: usize,
    },
    /// A seed for each site and guess: the host draws V_l ~ N(0, I).
    Seed,
}

/// A matrix that the host keeps for the instance between steps and in checkpoints; zero when first seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persistent {
    /// Name in checkpoints.
    pub name: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// What `prepare` decides; the default suits a strategy that looks at one layer at a time.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// When `propose` is called.
    pub call_mode: CallMode,
    /// Where a signal guess is given.
    pub signal_at: SignalAt,
    /// How a weight direction is given.
    pub direction: Direction,
    /// Elements of scratch that a call may take: what is asked for beyond is allocated then, and reported.
    pub scratch: usize,
    /// Persistent matrices.
    pub persistent: Vec<Persistent>,
    /// Forward equivalents a step may spend on oracles.
    pub oracle_budget: f64,
    /// Each guess is made without looking at the others, from draws with its own number alone: the host may ask for the guesses of a
    /// step a few at a time, in several calls, which takes less memory. `Step::guesses` then has as many as are wanted, from 0; in the
    /// keys of their draws the host counts those of the calls before, so that they are those of one call. Not with an oracle budget.
    pub independent: bool,
}

impl Plan {
    /// Asks for a persistent matrix and returns its index for `Step::persistent`.
    pub fn persist(&mut self, name: impl Into<String>, rows: usize, columns: usize) -> usize {
        self.persistent.push(Persistent { name: name.into(), rows, columns });
        self.persistent.len() - 1
    }
}
