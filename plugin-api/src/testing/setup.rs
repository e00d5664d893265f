//! What a test host is started with: network, sizes, parameters, and the checks of them.

#![forbid(unsafe_code)]

use super::batch::Lane;
use super::memory::Storage;
use super::{Activation, Grid, Host, Network};
use crate::abi;
use crate::abi::instance::{Instance, ModelFacts, Record, SiteFacts};
use crate::error::{Error, Result};
use crate::model::DType;
use crate::values::Value;

/// What a [`Host`] is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    record: Record,
    network: Network,
    pub(super) batch: usize,
    guesses: usize,
    at_once: Option<usize>,
    pub(super) dtype: DType,
    pub(super) seed: u64,
    params: Vec<(String, Value)>,
}

impl Setup {
    pub(crate) fn new(record: Record) -> Self {
        let network = Network::mlp(&[6, 5, 4, 3], Activation::Tanh);
        Self { record, network, batch: 4, guesses: 1, at_once: None, dtype: DType::F64, seed: 1, params: Vec::new() }
    }

    /// The network; 6-5-4-3 with tanh when left out.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Examples in a batch; 4 when left out.
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Guesses a step; 1 when left out.
    pub fn guesses(mut self, guesses: usize) -> Self {
        self.guesses = guesses;
        self
    }

    /// How many guesses a call asks for, a divisor of them all; all when left out. Fewer are for strategies whose plan makes guesses
    /// independently, whose draws and signals must then be the same.
    pub fn at_once(mut self, guesses: usize) -> Self {
        self.at_once = Some(guesses);
        self
    }

    /// Element type; doubles when left out.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Seed of every draw; 1 when left out.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A parameter; the schema's default when left out.
    pub fn param(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.params.push((key.to_owned(), value.into()));
        self
    }

    /// Creates an instance and prepares it.
    ///
    /// # Errors
    /// Those of the strategy; a parameter that its schema does not allow; a need or service that this host lacks; fewer guesses at once
    /// than its plan allows.
    pub fn start(self) -> Result<Host> {
        let strategy = self.record.get();
        if strategy.needs >> abi::GW_ROLE_COUNT != 0 {
            return Err(Error::unsupported(format!(
                "`{}` needs a role that this host does not know",
                self.record.id()
            )));
        }
        if strategy.services >> abi::GW_SERVICE_COUNT != 0 {
            return Err(Error::unsupported(format!("`{}` needs a service this host does not know", self.record.id())));
        }
        let round = |value: f64| if self.dtype == DType::F32 { f64::from(value as f32) } else { value };
        let network = self.network.rounded(round);
        let mut instance = Instance::create(self.record, &self.values()?)?;
        let sites: Vec<SiteFacts> = (0..network.sites()).map(|site| site_facts(&network, site)).collect();
        let facts = ModelFacts {
            batch: self.batch as u64,
            classes: network.classes() as u64,
            dtype: if self.dtype == DType::F32 { abi::GW_F32 } else { abi::GW_F64 },
            scope: abi::GW_SCOPE_EXAMPLE_LAYER,
            guesses: self.guesses as u32,
            seed: self.seed,
            instance: 0,
        };
        let plan = instance.prepare(&sites, facts)?;
        let at_once = self.at_once.unwrap_or(self.guesses);
        if at_once == 0 || !self.guesses.is_multiple_of(at_once) {
            return Err(Error::invalid(format!("{} guesses do not fall into parts of {at_once}", self.guesses)));
        }
        if at_once < self.guesses && !plan.independent {
            return Err(Error::invalid(format!(
                "`{}` makes the guesses of a step together: set `plan.independent` where it does not",
                self.record.id()
            )));
        }
        let persistent = plan.persistent.iter().map(|(name, [rows, columns])| {
            let name = format!("persistent matrix `{name}`");
            Storage::holding(name, &Grid::constant(*rows, *columns, 0.0), self.dtype)
        });
        let lane = Lane {
            kind: strategy.kind,
            granted: strategy.needs | strategy.wants,
            services: strategy.services,
            dtype: self.dtype,
            guesses: self.guesses,
            at_once,
            persistent: persistent.collect(),
            plan,
            network,
        };
        Ok(Host { setup: self, lane, instance, steps: 0, last: None })
    }

    /// Every parameter of the schema, checked and defaulted.
    fn values(&self) -> Result<Vec<(String, Value)>> {
        let declared = self.record.params();
        if let Some((key, _)) = self.params.iter().find(|(key, _)| declared.iter().all(|param| param.key != *key)) {
            return Err(Error::invalid(format!("`{}` has no parameter `{key}`", self.record.id())));
        }
        declared
            .into_iter()
            .map(|param| {
                let given = self.params.iter().rev().find(|(key, _)| *key == param.key);
                let value = given.map_or(&param.default, |(_, value)| value).clone();
                let fits = match (&value, param.kind) {
                    (Value::Int(i), abi::GW_PARAM_INT) => param.min <= *i as f64 && *i as f64 <= param.max,
                    (Value::Float(f), abi::GW_PARAM_FLOAT) => param.min <= *f && *f <= param.max,
                    (Value::Bool(_), abi::GW_PARAM_BOOL) | (Value::Text(_), abi::GW_PARAM_TEXT) => true,
                    (Value::Text(word), abi::GW_PARAM_CHOICE) => param.choices.contains(word),
                    _ => false,
                };
                match fits {
                    true => Ok((param.key, value)),
                    false => Err(Error::invalid(format!("parameter `{}` cannot be {value:?}", param.key))),
                }
            })
            .collect()
    }
}

fn site_facts(network: &Network, site: usize) -> SiteFacts {
    let weight = network.weight(site);
    SiteFacts {
        name: format!("fc{}", site + 1),
        layer: abi::GW_LAYER_LINEAR,
        activated: network.activated(site),
        width: weight.rows(),
        rows_per_example: network.rows_per_example(site),
        weight: [weight.rows(), weight.columns()],
        following: network.following(site).into_iter().map(|next| next as u32).collect(),
    }
}
