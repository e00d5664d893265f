//! What goes from the input to the logits beside the primal values: stacked tangents.

use super::graph::{Site, Source};
use super::layer::Tangent;
use super::slots::Slots;
use super::tape::{Injection, Tape};
use crate::kernel;
use candle_core::{Result, Tensor};
use std::cell::Cell;

/// Buffers of the tangents of every node, and how many blocks of each hold something. Nodes share them where the order of a pass
/// allows it.
#[derive(Debug, Default)]
pub(super) struct Tangents {
    blocks: usize,
    /// Whether each node has one of its own.
    apart: bool,
    buffers: Vec<Tensor>,
    active: Vec<Cell<usize>>,
}

impl Tape {
    /// The tangent pass for K guesses that inject `injection` at the sites, at the last forward pass' point.
    ///
    /// The result are the tangents `at` one node for each output: the outputs, or [`Graph::reads`](super::Graph::reads). Not `separate`: K tangents, each fed by all sites; (K·B) × C at the logits.
    /// `separate`: one tangent a site and guess, block `place·K + guess` by the site's place in its part; (L·K·B) × C at the
    /// logits of a model in one part of L sites. Prefixes are shared: at a layer only the tangents of the sites so far are carried.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn tangent(
        &self,
        theta: &[Tensor],
        injection: Injection,
        guesses: usize,
        separate: bool,
        at: &[usize],
    ) -> Result<Vec<Tensor>> {
        let blocks = if separate { guesses * self.graph.largest_part() } else { guesses };
        self.plan_tangents(blocks)?;
        let tangents = self.tangents.borrow();
        let mut waiting: Option<(usize, usize)> = None;
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if let Some((_, site)) = waiting.take_if(|(activation, _)| *activation == index) {
                let injected = injection[site].as_ref();
                self.pass_activation(&tangents, theta, index, site, injected, guesses, separate)?;
                continue;
            }
            self.carry(&tangents, theta, index, false)?;
            if let Some(site) = node.site {
                let injected = injection[site].as_ref();
                match self.graph.sites[site].activation.filter(|_| !tangents.apart) {
                    Some(activation) => waiting = Some((activation, site)),
                    None => self.inject(&tangents, index, site, injected, guesses, separate)?,
                }
            }
        }
        self.tangents_at(&tangents, guesses, separate, at)
    }

    /// From the next tangent pass on the tangent of every node is there until the one after it.
    pub(super) fn keep_tangents(&self) {
        let mut tangents = self.tangents.borrow_mut();
        if !tangents.apart {
            *tangents = Tangents { apart: true, ..Tangents::default() };
        }
    }

    /// The forward pass on `data` with the tangents of K guesses beside it: each layer's primal and tangents go through in
    /// one product where the layer can. `on_site` is called for each site as soon as S_l, X_l and M_l exist and gives what
    /// to inject there; the result is that of [`Tape::tangent`].
    ///
    /// # Errors
    /// Those of the layers and of `on_site`.
    pub fn forward_with_tangents<E: From<candle_core::Error>>(
        &self,
        theta: &[Tensor],
        data: &Tensor,
        guesses: usize,
        separate: bool,
        at: &[usize],
        mut on_site: impl FnMut(usize) -> std::result::Result<Option<Tensor>, E>,
    ) -> std::result::Result<Vec<Tensor>, E> {
        let blocks = if separate { guesses * self.graph.largest_part() } else { guesses };
        self.plan_tangents(blocks)?;
        self.start(data);
        let tangents = self.tangents.borrow();
        let (mut waiting, mut made) = (None, None);
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if let Some((_, site)) = waiting.take_if(|(activation, _)| *activation == index) {
                // The injection is made of M_l too, and goes in before the tangents pass the activation.
                if made.take() != Some(index) {
                    self.at(theta, index, |at| node.layer.forward(at))?;
                }
                let injected = on_site(site)?;
                self.pass_activation(&tangents, theta, index, site, injected.as_ref(), guesses, separate)?;
                continue;
            }
            if self.carry(&tangents, theta, index, true)? {
                made = Some(index + 1);
            }
            if let Some(site) = node.site {
                match self.graph.sites[site].activation {
                    Some(activation) => waiting = Some((activation, site)),
                    None => {
                        let injected = on_site(site)?;
                        self.inject(&tangents, index, site, injected.as_ref(), guesses, separate)?;
                    }
                }
            }
        }
        Ok(self.tangents_at(&tangents, guesses, separate, at)?)
    }

    /// How the logits move with the activations, X_l along `moved[l]`, (B·P_l) × n_l, at the last forward pass' point: `dst`, B × C.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn logit_tangent(&self, theta: &[Tensor], moved: &[Option<&Tensor>], dst: &Tensor) -> Result<()> {
        self.plan_tangents(1)?;
        let tangents = self.tangents.borrow();
        for index in 0..self.graph.nodes.len() {
            self.carry(&tangents, theta, index, false)?;
            let ends = |site: &Site| site.activation.unwrap_or(site.node) == index;
            if let Some(site) = self.graph.sites.iter().position(ends) {
                self.inject(&tangents, index, site, moved[site], 1, false)?;
            }
        }
        let logits = self.graph.nodes.len() - 1;
        match tangents.active[logits].get() {
            0 => kernel::fill(dst, 0.0),
            _ => kernel::copy(dst, &tangents.buffers[logits].narrow(0, 0, dst.dim(0)?)?),
        }
    }

    /// `dy ← J_θ v` of one site: what a weight direction does to its pre-activation.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn tangent_parameters(&self, theta: &[Tensor], site: usize, v: &[Tensor], dy: &Tensor) -> Result<()> {
        let node = self.graph.site_node(site);
        self.at(theta, self.graph.sites[site].node, |at| node.layer.tangent_parameters(at, v, 0.0, dy))
    }

    /// Carries the tangents so far through a node; `forward` takes the primal along. Returns whether that made the
    /// activation that follows.
    fn carry(&self, tangents: &Tangents, theta: &[Tensor], index: usize, forward: bool) -> Result<bool> {
        let node = &self.graph.nodes[index];
        let reached = node.inputs.iter().map(|source| tangents.active_at(*source)).max().unwrap_or(0);
        let carried = if node.layer.stops() { 0 } else { reached };
        tangents.active[index].set(carried);
        let activated = if forward { self.activated(index) } else { None };
        if carried == 0 {
            return match forward {
                true => self.at(theta, index, |at| node.layer.forward_beside(at, activated, None)),
                false => Ok(false),
            };
        }
        let mut dx: [Option<Tensor>; 2] = [None, None];
        for (dx, &source) in dx.iter_mut().zip(&node.inputs) {
            *dx = self.tangent_input(tangents, source, carried)?;
        }
        let dx = dx.each_ref().map(Option::as_ref);
        let dx = &dx[..node.inputs.len().min(dx.len())];
        let dy = &tangents.buffers[index].narrow(0, 0, carried * self.batch * node.extent.rows)?;
        self.at(theta, index, |at| match forward {
            true => node.layer.forward_beside(at, activated, Some(Tangent { stack: carried, dx, dy })),
            false => node.layer.tangent(at, carried, dx, dy).map(|()| false),
        })
    }

    /// Takes the tangents of a site, with what is injected there, through the activation at `index`, which is all that
    /// reads them: dX_l = (dS_l + E_l) ⊙ M_l in one pass.
    fn pass_activation(
        &self,
        tangents: &Tangents,
        theta: &[Tensor],
        index: usize,
        site: usize,
        injected: Option<&Tensor>,
        guesses: usize,
        separate: bool,
    ) -> Result<()> {
        let (Some(e), Some(m)) = (injected, self.saved[index].first()) else {
            return self.carry(tangents, theta, index, false).map(drop);
        };
        let before = self.graph.sites[site].node;
        let (from, to, carried) = (&tangents.buffers[before], &tangents.buffers[index], tangents.active[before].get());
        let rows = self.batch * self.graph.nodes[index].extent.rows;
        let part = |all: &Tensor, first: usize, count: usize| all.narrow(0, first * rows, count * rows);
        let first = if separate { self.graph.sites[site].place * guesses } else { 0 };
        if first < carried {
            kernel::hadamard_sum(&part(to, 0, guesses)?, &part(from, 0, guesses)?, e, m)?;
            tangents.active[index].set(guesses);
            return Ok(());
        }
        if carried > 0 {
            kernel::hadamard(&part(to, 0, carried)?, &part(from, 0, carried)?, m)?;
        }
        if first > carried {
            kernel::fill(&part(to, carried, first - carried)?, 0.0)?;
        }
        kernel::hadamard(&part(to, first, guesses)?, e, m)?;
        tangents.active[index].set(first + guesses);
        Ok(())
    }

    /// Adds what is injected at a site to the tangents of its node.
    fn inject(
        &self,
        tangents: &Tangents,
        index: usize,
        site: usize,
        injected: Option<&Tensor>,
        guesses: usize,
        separate: bool,
    ) -> Result<()> {
        let Some(matrix) = injected else { return Ok(()) };
        let (dy, carried) = (&tangents.buffers[index], tangents.active[index].get());
        let rows = self.batch * self.graph.nodes[index].extent.rows;
        let first = if separate { self.graph.sites[site].place * guesses } else { 0 };
        if first < carried {
            return kernel::axpy(&dy.narrow(0, 0, guesses * rows)?, 1.0, matrix);
        }
        if first > carried {
            kernel::fill(&dy.narrow(0, carried * rows, (first - carried) * rows)?, 0.0)?;
        }
        kernel::copy(&dy.narrow(0, first * rows, guesses * rows)?, matrix)?;
        tangents.active[index].set(first + guesses);
        Ok(())
    }

    fn tangents_at(&self, tangents: &Tangents, guesses: usize, separate: bool, at: &[usize]) -> Result<Vec<Tensor>> {
        let of = |(output, &node): (usize, &usize)| {
            let rows = self.batch * self.graph.nodes[node].extent.rows;
            let sites = self.graph.parts[self.graph.part_of(output)].len();
            let (blocks, active) = (if separate { guesses * sites } else { guesses }, tangents.active[node].get());
            if active < blocks {
                kernel::fill(&tangents.buffers[node].narrow(0, active * rows, (blocks - active) * rows)?, 0.0)?;
            }
            tangents.buffers[node].narrow(0, 0, blocks * rows)
        };
        at.iter().enumerate().map(of).collect()
    }

    fn plan_tangents(&self, blocks: usize) -> Result<()> {
        let mut tangents = self.tangents.borrow_mut();
        if tangents.blocks < blocks {
            let slots = if tangents.apart { Slots::apart(&self.graph) } else { Slots::shared(&self.graph) };
            tangents.buffers.clear();
            let examples = blocks * self.batch;
            let memory = |&elements: &usize| Tensor::zeros(examples * elements, self.dtype, &self.device);
            let memory: Vec<Tensor> = slots.elements.iter().map(memory).collect::<Result<_>>()?;
            for (node, slot) in self.graph.nodes.iter().zip(slots.of) {
                let (rows, width) = (examples * node.extent.rows, node.extent.width);
                tangents.buffers.push(memory[slot].narrow(0, 0, rows * width)?.reshape((rows, width))?);
            }
            tangents.active = vec![Cell::new(0); self.graph.nodes.len()];
            tangents.blocks = blocks;
        }
        for active in &tangents.active {
            active.set(0);
        }
        Ok(())
    }

    /// The one tangent of `source` in the last pass; `None` where nothing reached it.
    pub(super) fn tangent_of(&self, source: Source) -> Result<Option<Tensor>> {
        self.tangent_input(&self.tangents.borrow(), source, 1)
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
