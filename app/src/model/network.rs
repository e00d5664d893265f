//! A model: an architecture and its parameters, as Candle `Var`s in the order of the layers.

use super::graph::Graph;
use super::layer::Start;
use super::stored::Stored;
use crate::kernel::{self, Draw, DrawKey};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarMap;
use std::path::Path;
use std::sync::Arc;

/// Draw number of initial parameters, far from the draws strategies use.
const INITIAL_DRAW: u32 = 0xF000;

/// An architecture with parameters of its own.
#[derive(Debug)]
pub struct Network {
    graph: Arc<Graph>,
    names: Vec<String>,
    vars: Vec<Var>,
    theta: Vec<Tensor>,
}

impl Network {
    /// A network with freshly drawn parameters: parameter i of seed s is the same whatever else the run holds. Heads of local losses
    /// are not counted: the rest begins as it does without them.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(graph: Arc<Graph>, dtype: DType, device: &Device, seed: u64) -> Result<Self> {
        let (mut names, mut vars, mut theta) = (Vec::new(), Vec::new(), Vec::new());
        let heads = &graph.outputs[..graph.outputs.len().saturating_sub(1)];
        let mut counts = [0u32; 2];
        for (node_index, node) in graph.nodes.iter().enumerate() {
            let head = heads.contains(&node_index);
            for spec in node.layer.parameters() {
                let var = Var::zeros(spec.shape.as_slice(), dtype, device)?;
                let draw = if head { INITIAL_DRAW + 1 } else { INITIAL_DRAW };
                let key = DrawKey { seed, instance: 0, step: 0, site: counts[usize::from(head)], guess: 0, draw };
                counts[usize::from(head)] += 1;
                match spec.start {
                    Start::Constant(value) => kernel::fill(&var, value)?,
                    Start::Normal { deviation } => kernel::fill_draws(&var, Draw::Normal, deviation, key)?,
                    Start::Uniform { bound } => {
                        kernel::fill_draws(&var, Draw::Uniform, 2.0 * bound, key)?;
                        kernel::add_scalar(&var, -bound)?;
                    }
                }
                names.push(format!("{}.{}", node.name, spec.name));
                theta.push(var.as_tensor().clone());
                vars.push(var);
            }
        }
        Ok(Self { graph, names, vars, theta })
    }

    /// The architecture.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Names of the parameters, in order: `fc1.weight`, `fc1.bias`, ….
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The parameters, in order.
    pub fn theta(&self) -> &[Tensor] {
        &self.theta
    }

    /// The parameters as Candle variables, in order.
    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// Number of scalar parameters, n.
    pub fn parameter_count(&self) -> usize {
        self.theta.iter().map(|tensor| tensor.elem_count()).sum()
    }

    /// A `VarMap` that shares the variables: what Candle programs load and save.
    pub fn var_map(&self) -> VarMap {
        let map = VarMap::new();
        if let Ok(mut data) = map.data().lock() {
            data.extend(self.names.iter().cloned().zip(self.vars.iter().cloned()));
        }
        map
    }

    /// Writes the parameters as safetensors.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.var_map().save(path)
    }

    /// Reads the parameters from a safetensors file; every name must be there with its shape.
    ///
    /// # Errors
    /// When the file cannot be read, or a name or shape differs: says which.
    pub fn load(&self, path: &Path) -> Result<()> {
        let mut stored = Stored::open(path)?;
        for (name, var) in self.names.iter().zip(&self.vars) {
            stored.read_into(name, var)?;
        }
        Ok(())
    }

    /// Fresh tensors shaped as the parameters, filled with zeros: gradients, directions, optimizer state.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn zeros_like(&self) -> Result<Vec<Tensor>> {
        self.theta.iter().map(Tensor::zeros_like).collect()
    }
}
