//! The values of one batch and the passes over them: forward, stacked tangents, adjoint, pull-back.
//!
//! A tape is planned once for an architecture and a batch size; a pass writes into its buffers and allocates nothing
//! that is kept. Parameters are passed to every call, so the same tape serves θ and its perturbations.

use super::graph::{Graph, Source};
use super::layer::At;
use crate::kernel::{self, Arena};
use candle_core::{DType, Device, Result, Tensor, bail};
use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

/// What is added at the sites of a forward or tangent pass: one matrix a site, (K·B·P_l) × n_l, or nothing.
pub type Injection<'a> = &'a [Option<Tensor>];

/// Buffers for one batch size.
#[derive(Debug)]
pub struct Tape {
    graph: Arc<Graph>,
    batch: usize,
    dtype: DType,
    device: Device,
    data: RefCell<Option<Tensor>>,
    values: Vec<Tensor>,
    saved: Vec<Vec<Tensor>>,
    signals: OnceCell<Vec<Tensor>>,
    tangents: RefCell<Tangents>,
    arena: Arena,
}

#[derive(Debug, Default)]
struct Tangents {
    blocks: usize,
    buffers: Vec<Tensor>,
    active: Vec<Cell<usize>>,
}

impl Tape {
    /// Plans the buffers of a batch of `batch` examples.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(graph: Arc<Graph>, batch: usize, dtype: DType, device: &Device) -> Result<Self> {
        let (mut values, mut saved) = (Vec::new(), Vec::new());
        for node in &graph.nodes {
            let inputs: Vec<_> = node.inputs.iter().map(|&source| extent(&graph, source)).collect();
            values.push(Tensor::zeros((batch * node.extent.rows, node.extent.width), dtype, device)?);
            let buffers = node.layer.saved(batch, &inputs);
            saved.push(buffers.iter().map(|shape| Tensor::zeros(shape, dtype, device)).collect::<Result<_>>()?);
        }
        Ok(Self {
            graph,
            batch,
            dtype,
            device: device.clone(),
            data: RefCell::new(None),
            values,
            saved,
            signals: OnceCell::new(),
            tangents: RefCell::default(),
            arena: Arena::new(dtype, device),
        })
    }

    /// Examples in the batch, B.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The architecture.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Data type of every buffer.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Device of every buffer.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Scratch matrices.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Bytes that the forward pass keeps for tangents and adjoints.
    pub fn bytes(&self) -> usize {
        let kept = self.values.iter().chain(self.saved.iter().flatten());
        kept.map(Tensor::elem_count).sum::<usize>() * self.dtype.size_in_bytes()
    }

    /// Output of `node`, (B·P) × n.
    pub fn value(&self, node: usize) -> &Tensor {
        &self.values[node]
    }

    /// What `node` saved in the forward pass.
    pub fn saved(&self, node: usize) -> &[Tensor] {
        &self.saved[node]
    }

    /// The logits S_L, B × C.
    pub fn logits(&self) -> &Tensor {
        &self.values[self.values.len() - 1]
    }

    /// Pre-activation S_l of a site.
    pub fn pre_activation(&self, site: usize) -> &Tensor {
        &self.values[self.graph.sites[site].node]
    }

    /// Activation X_l of a site: S_l where no activation follows.
    pub fn activation(&self, site: usize) -> &Tensor {
        let site = &self.graph.sites[site];
        &self.values[site.activation.unwrap_or(site.node)]
    }

    /// Activation derivative M_l of a site; `None` where no activation follows, and M_l is all ones.
    pub fn derivative(&self, site: usize) -> Option<&Tensor> {
        self.graph.sites[site].activation.map(|node| &self.saved[node][0])
    }

    /// Calls `f` with the primal point of `node`.
    ///
    /// # Errors
    /// Those of `f`, and a tape that has seen no forward pass.
    pub fn at<R>(&self, theta: &[Tensor], node: usize, f: impl FnOnce(At) -> Result<R>) -> Result<R> {
        let data = self.data.borrow();
        let Some(data) = data.as_ref() else { bail!("the tape has seen no forward pass") };
        let place = &self.graph.nodes[node];
        let value = |source: &Source| match *source {
            Source::Data => data,
            Source::Node(earlier) => &self.values[earlier],
        };
        let (one, two);
        let x: &[&Tensor] = match place.inputs.as_slice() {
            [a] => {
                one = [value(a)];
                &one
            }
            [a, b] => {
                two = [value(a), value(b)];
                &two
            }
            _ => bail!("layer `{}` must have one or two inputs", place.name),
        };
        f(At {
            theta: &theta[place.first_parameter..place.first_parameter + place.parameters],
            x,
            y: &self.values[node],
            saved: &self.saved[node],
            batch: self.batch,
            arena: &self.arena,
        })
    }

    /// The forward pass on `data`, (B·P_0) × n_0. With an `injection` (K = 1) `scale` times its matrix is added to the
    /// output of each site. `on_site` is called for each site as soon as S_l, X_l and M_l exist.
    ///
    /// # Errors
    /// Those of the layers and of `on_site`.
    pub fn forward<E: From<candle_core::Error>>(
        &self,
        theta: &[Tensor],
        data: &Tensor,
        injection: Option<(Injection, f64)>,
        mut on_site: impl FnMut(usize) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.data.replace(Some(data.clone()));
        let mut waiting = None;
        for (index, node) in self.graph.nodes.iter().enumerate() {
            self.at(theta, index, |at| node.layer.forward(at))?;
            if let Some(site) = node.site {
                if let Some((matrices, scale)) = injection
                    && let Some(matrix) = &matrices[site]
                {
                    kernel::axpy(&self.values[index], scale, matrix)?;
                }
                match self.graph.sites[site].activation {
                    Some(activation) => waiting = Some((activation, site)),
                    None => on_site(site)?,
                }
            }
            if let Some((_, site)) = waiting.take_if(|(activation, _)| *activation == index) {
                on_site(site)?;
            }
        }
        Ok(())
    }

    /// The tangent pass for K guesses that inject `injection` at the sites, at the last forward pass' point.
    ///
    /// Not `separate`: K tangents, each fed by all sites; the result is (K·B) × C, the tangents of the logits. `separate`:
    /// one tangent a site and guess, block `site·K + guess`; the result is (L·K·B) × C. Prefixes are shared: at a layer
    /// only the tangents of the sites so far are carried.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn tangent(&self, theta: &[Tensor], injection: Injection, guesses: usize, separate: bool) -> Result<Tensor> {
        let blocks = if separate { guesses * self.graph.sites.len() } else { guesses };
        self.plan_tangents(blocks)?;
        let tangents = self.tangents.borrow();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let rows = self.batch * node.extent.rows;
            let carried = node.inputs.iter().map(|source| tangents.active_at(*source)).max().unwrap_or(0);
            let dy = &tangents.buffers[index];
            if carried > 0 {
                let mut dx: Vec<Option<Tensor>> = Vec::with_capacity(2);
                for &source in &node.inputs {
                    dx.push(self.tangent_input(&tangents, source, carried)?);
                }
                let dx: Vec<Option<&Tensor>> = dx.iter().map(Option::as_ref).collect();
                let out = dy.narrow(0, 0, carried * rows)?;
                self.at(theta, index, |at| node.layer.tangent(at, carried, &dx, &out))?;
            }
            let mut active = carried;
            if let Some(site) = node.site
                && let Some(matrix) = &injection[site]
            {
                let first = if separate { site * guesses } else { 0 };
                if first < carried {
                    kernel::axpy(&dy.narrow(0, 0, guesses * rows)?, 1.0, matrix)?;
                } else {
                    if first > carried {
                        kernel::fill(&dy.narrow(0, carried * rows, (first - carried) * rows)?, 0.0)?;
                    }
                    kernel::copy(&dy.narrow(0, first * rows, guesses * rows)?, matrix)?;
                    active = first + guesses;
                }
            }
            tangents.active[index].set(active);
        }
        let last = self.graph.nodes.len() - 1;
        let rows = self.batch * self.graph.nodes[last].extent.rows;
        let active = tangents.active[last].get();
        if active < blocks {
            kernel::fill(&tangents.buffers[last].narrow(0, active * rows, (blocks - active) * rows)?, 0.0)?;
        }
        tangents.buffers[last].narrow(0, 0, blocks * rows)
    }

    /// The adjoint pass from `seed` = ∂L/∂S_L at the last forward pass' point. The signals δ can be read with
    /// [`Tape::signal`]; `gradient`, shaped as the parameters, receives g when it is given.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn adjoint(&self, theta: &[Tensor], seed: &Tensor, gradient: Option<&[Tensor]>) -> Result<()> {
        let signals = match self.signals.get() {
            Some(signals) => signals,
            None => {
                let fresh = self.values.iter().map(Tensor::zeros_like).collect::<Result<Vec<_>>>()?;
                self.signals.get_or_init(|| fresh)
            }
        };
        let last = self.graph.nodes.len() - 1;
        let mut touched = vec![false; self.graph.nodes.len()];
        touched[last] = true;
        kernel::copy(&signals[last], seed)?;
        for (index, node) in self.graph.nodes.iter().enumerate().rev() {
            if !touched[index] {
                continue;
            }
            let mut dx: Vec<Option<(&Tensor, f64)>> = Vec::with_capacity(2);
            for &source in &node.inputs {
                dx.push(match source {
                    Source::Data => None,
                    Source::Node(earlier) => {
                        let beta = if touched[earlier] { 1.0 } else { 0.0 };
                        touched[earlier] = true;
                        Some((&signals[earlier], beta))
                    }
                });
            }
            self.at(theta, index, |at| {
                if dx.iter().any(Option::is_some) {
                    node.layer.adjoint(at, 1, &signals[index], &dx)?;
                }
                match gradient {
                    Some(gradient) if node.parameters > 0 => {
                        let range = node.first_parameter..node.first_parameter + node.parameters;
                        node.layer.adjoint_parameters(at, 1.0, &signals[index], 0.0, &gradient[range])
                    }
                    _ => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    /// The signal δ_l = ∂L/∂S_l of the last adjoint pass; `None` before the first.
    pub fn signal(&self, site: usize) -> Option<&Tensor> {
        self.signals.get().map(|signals| &signals[self.graph.sites[site].node])
    }

    /// Carries `signals`, one a site in the order of `following`, each (`stack`·B·P_m) × n_m, back to the
    /// pre-activation of `site`: `dst`, (`stack`·B·P_l) × n_l. For the last site the one signal is at the logits.
    ///
    /// # Errors
    /// Those of the layers; a wrong number of signals.
    pub fn pull_back(
        &self,
        theta: &[Tensor],
        site: usize,
        signals: &[&Tensor],
        stack: usize,
        dst: &Tensor,
    ) -> Result<()> {
        let place = &self.graph.sites[site];
        if place.following.is_empty() && signals.len() == 1 {
            return kernel::copy(dst, signals[0]);
        }
        if signals.len() != place.following.len() {
            bail!("pull_back from site {site} takes {} signals, not {}", place.following.len(), signals.len());
        }
        let mut carried: Vec<Option<kernel::Scratch>> = Vec::new();
        let first = place.node;
        let end = place.region.last().map_or(first, |&node| node) + 1;
        carried.resize_with(end - first, || None);
        let mut written = false;
        for &index in place.region.iter().rev() {
            let node = &self.graph.nodes[index];
            let own;
            let dy = match node.site {
                Some(later) => match place.following.iter().position(|&m| m == later) {
                    Some(position) => signals[position],
                    None => continue,
                },
                None => match carried[index - first].take() {
                    Some(scratch) => {
                        own = scratch;
                        &*own
                    }
                    None => continue,
                },
            };
            let mut betas = [0.0; 2];
            for (slot, source) in node.inputs.iter().enumerate() {
                if let Source::Node(earlier) = *source
                    && (earlier == first
                        || (place.region.binary_search(&earlier).is_ok() && self.graph.nodes[earlier].site.is_none()))
                {
                    if earlier == first {
                        betas[slot] = if written { 1.0 } else { 0.0 };
                        written = true;
                    } else if carried[earlier - first].is_some() {
                        betas[slot] = 1.0;
                    } else {
                        let extent = self.graph.nodes[earlier].extent;
                        let rows = stack * self.batch * extent.rows;
                        carried[earlier - first] = Some(self.arena.take(rows, extent.width)?);
                    }
                }
            }
            let dx: Vec<Option<(&Tensor, f64)>> = node
                .inputs
                .iter()
                .enumerate()
                .map(|(slot, source)| match *source {
                    Source::Node(earlier) if earlier == first => Some((dst, betas[slot])),
                    Source::Node(earlier) if earlier > first => {
                        carried[earlier - first].as_deref().map(|t| (t, betas[slot]))
                    }
                    _ => None,
                })
                .collect();
            self.at(theta, index, |at| node.layer.adjoint(at, stack, dy, &dx))?;
        }
        if !written {
            kernel::fill(dst, 0.0)?;
        }
        Ok(())
    }

    /// `dθ ← beta·dθ + alpha·J_θᵀ e` of one site: for a guess the weight direction V_l, for δ_l the gradient.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn adjoint_parameters(
        &self,
        theta: &[Tensor],
        site: usize,
        alpha: f64,
        e: &Tensor,
        beta: f64,
        dtheta: &[Tensor],
    ) -> Result<()> {
        let node = self.graph.site_node(site);
        self.at(theta, self.graph.sites[site].node, |at| node.layer.adjoint_parameters(at, alpha, e, beta, dtheta))
    }

    /// `dy ← J_θ v` of one site: what a weight direction does to its pre-activation.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn tangent_parameters(&self, theta: &[Tensor], site: usize, v: &[Tensor], dy: &Tensor) -> Result<()> {
        let node = self.graph.site_node(site);
        self.at(theta, self.graph.sites[site].node, |at| node.layer.tangent_parameters(at, v, 0.0, dy))
    }

    fn plan_tangents(&self, blocks: usize) -> Result<()> {
        let mut tangents = self.tangents.borrow_mut();
        if tangents.blocks < blocks {
            tangents.buffers.clear();
            for node in &self.graph.nodes {
                let shape = (blocks * self.batch * node.extent.rows, node.extent.width);
                tangents.buffers.push(Tensor::zeros(shape, self.dtype, &self.device)?);
            }
            tangents.active = vec![Cell::new(0); self.graph.nodes.len()];
            tangents.blocks = blocks;
        }
        for active in &tangents.active {
            active.set(0);
        }
        Ok(())
    }

    fn tangent_input(&self, tangents: &Tangents, source: Source, blocks: usize) -> Result<Option<Tensor>> {
        let Source::Node(node) = source else { return Ok(None) };
        let active = tangents.active[node].get();
        if active == 0 {
            return Ok(None);
        }
        let rows = self.batch * self.graph.nodes[node].extent.rows;
        if active < blocks {
            kernel::fill(&tangents.buffers[node].narrow(0, active * rows, (blocks - active) * rows)?, 0.0)?;
            tangents.active[node].set(blocks);
        }
        Ok(Some(tangents.buffers[node].narrow(0, 0, blocks * rows)?))
    }
}

impl Tangents {
    fn active_at(&self, source: Source) -> usize {
        match source {
            Source::Data => 0,
            Source::Node(node) => self.active[node].get(),
        }
    }
}

fn extent(graph: &Graph, source: Source) -> super::layer::Extent {
    match source {
        Source::Data => graph.input,
        Source::Node(node) => graph.nodes[node].extent,
    }
}
