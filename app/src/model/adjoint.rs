//! What goes from the loss to the input: the adjoint pass, pull-backs between sites, parameter adjoints.
//!
//! A step of gradient descent can be taken in the pass itself: each layer's parameters move once the signal has been
//! carried through it, and a gradient that is one product is never stored.

use super::graph::{Node, Source};
use super::layer::At;
use super::tape::Tape;
use crate::kernel::{self, Rate};
use candle_core::{Result, Tensor, bail};

impl Tape {
    /// The adjoint pass from `seeds` = ∂L/∂S at each output (∂L/∂S_L where there is one) at the last forward pass' point. The signals δ can be read with
    /// [`Tape::signal`]; `gradient`, shaped as the parameters, receives g when it is given.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn adjoint(&self, theta: &[Tensor], seeds: &[Tensor], gradient: Option<&[Tensor]>) -> Result<()> {
        self.carry_back(theta, seeds, |node, at, signal| match gradient {
            Some(gradient) => {
                let range = node.first_parameter..node.first_parameter + node.parameters;
                node.layer.adjoint_parameters(at, 1.0, signal, 0.0, &gradient[range])
            }
            None => Ok(()),
        })
    }

    /// The adjoint pass from `seeds` with a plain step of gradient descent at each layer, once the signal has been carried
    /// through it: θ ← θ − η(g + λθ). Returns ‖g‖². `scratch` is shaped as the parameters.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn adjoint_descend(&self, theta: &[Tensor], seeds: &[Tensor], scratch: &[Tensor], rate: Rate) -> Result<f64> {
        let mut squared = 0.0;
        self.carry_back(theta, seeds, |node, at, signal| {
            squared += descend(node, at, signal, scratch, rate)?;
            Ok(())
        })?;
        Ok(squared.sqrt())
    }

    /// The adjoint pass; `parameters` is called for each node that has some, after its inputs' signals are made.
    fn carry_back(
        &self,
        theta: &[Tensor],
        seeds: &[Tensor],
        mut parameters: impl FnMut(&Node, At, &Tensor) -> Result<()>,
    ) -> Result<()> {
        let signals = match self.signals.get() {
            Some(signals) => signals,
            None => {
                let fresh = self.values.iter().map(Tensor::zeros_like).collect::<Result<Vec<_>>>()?;
                self.signals.get_or_init(|| fresh)
            }
        };
        let outputs = &self.graph.outputs;
        if seeds.len() != outputs.len() {
            bail!("an adjoint pass takes a signal at each of {} outputs, not {}", outputs.len(), seeds.len());
        }
        let mut touched = vec![false; self.graph.nodes.len()];
        for (&output, seed) in outputs.iter().zip(seeds) {
            touched[output] = true;
            kernel::copy(&signals[output], seed)?;
        }
        for (index, node) in self.graph.nodes.iter().enumerate().rev() {
            if !touched[index] || node.layer.stops() {
                continue;
            }
            let dx = at_inputs(node, signals, &mut touched);
            self.at(theta, index, |at| {
                if dx.iter().any(Option::is_some) {
                    node.layer.adjoint(at, 1, &signals[index], &dx)?;
                }
                if node.parameters > 0 { parameters(node, at, &signals[index]) } else { Ok(()) }
            })?;
        }
        Ok(())
    }

    /// The signal δ_l = ∂L/∂S_l of the last adjoint pass; `None` before the first.
    pub fn signal(&self, site: usize) -> Option<&Tensor> {
        self.signals.get().map(|signals| &signals[self.graph.sites[site].node])
    }

    /// The signal at `node`, (B·P) × n, that output `output`'s own, `delta`, makes there: nothing else is read between them.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn signal_behind(
        &self,
        theta: &[Tensor],
        output: usize,
        delta: &Tensor,
        node: usize,
    ) -> Result<kernel::Scratch> {
        let mut from = self.graph.outputs[output];
        let mut carried: Option<kernel::Scratch> = None;
        loop {
            let [Source::Node(earlier)] = self.graph.nodes[from].inputs[..] else {
                bail!("`{}` does not lead to the output alone", self.graph.nodes[node].name)
            };
            let extent = self.graph.nodes[earlier].extent;
            let behind = self.arena.take(self.batch * extent.rows, extent.width)?;
            let dy = carried.as_deref().unwrap_or(delta);
            self.at(theta, from, |at| self.graph.nodes[from].layer.adjoint(at, 1, dy, &[Some((&behind, 0.0))]))?;
            if earlier == node {
                return Ok(behind);
            }
            (from, carried) = (earlier, Some(behind));
        }
    }

    /// Carries `signals`, one a site in the order of `following`, each (`stack`·B·P_m) × n_m, back to the
    /// pre-activation of `site`: `dst`, (`stack`·B·P_l) × n_l. For an output the one signal is at itself.
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

    /// θ ← θ − η(g + λθ) of one site with g = `J_θᵀ e`; returns ‖g‖². `scratch` is shaped as the site's parameters.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn descend(&self, theta: &[Tensor], site: usize, e: &Tensor, scratch: &[Tensor], rate: Rate) -> Result<f64> {
        let node = self.graph.site_node(site);
        self.at(theta, self.graph.sites[site].node, |at| match node.layer.descend(at, e, rate)? {
            Some(squared) => Ok(squared),
            None => form_and_descend(node, at, e, scratch, rate),
        })
    }

    /// A bound on the elements of `J_θᵀ e` of one site; not finite where an element of `e` or of the input is not.
    ///
    /// # Errors
    /// Those of the kernels; a site without input rows.
    pub fn product_bound(&self, theta: &[Tensor], site: usize, e: &Tensor) -> Result<f64> {
        let node = self.graph.site_node(site);
        self.at(theta, self.graph.sites[site].node, |at| {
            let Some(x) = node.layer.rows(at) else { bail!("layer `{}` has no input rows", node.name) };
            let largest = kernel::largest(x)?;
            Ok(e.dim(0)? as f64 * kernel::largest(e)? * if largest <= 1.0 { 1.0 } else { largest })
        })
    }
}

/// Where the signals of a node's inputs go: each with 1 where it adds to what readers before this one left there, else 0. Marks them
/// as touched; the data has none.
pub(super) fn at_inputs<'s>(
    node: &Node,
    signals: &'s [Tensor],
    touched: &mut [bool],
) -> Vec<Option<(&'s Tensor, f64)>> {
    let place = |source: &Source| match *source {
        Source::Data => None,
        Source::Node(earlier) => {
            let before = std::mem::replace(&mut touched[earlier], true);
            Some((&signals[earlier], if before { 1.0 } else { 0.0 }))
        }
    };
    node.inputs.iter().map(place).collect()
}

/// One layer's step in the adjoint pass; `scratch` is shaped as all parameters.
fn descend(node: &Node, at: At, signal: &Tensor, scratch: &[Tensor], rate: Rate) -> Result<f64> {
    match node.layer.descend(at, signal, rate)? {
        Some(squared) => Ok(squared),
        None => {
            let range = node.first_parameter..node.first_parameter + node.parameters;
            form_and_descend(node, at, signal, &scratch[range], rate)
        }
    }
}

/// Forms g in `scratch`, shaped as the layer's parameters, and takes the step along it.
fn form_and_descend(node: &Node, at: At, signal: &Tensor, scratch: &[Tensor], rate: Rate) -> Result<f64> {
    node.layer.adjoint_parameters(at, 1.0, signal, 0.0, scratch)?;
    at.theta.iter().zip(scratch).map(|(theta, g)| kernel::descend_along(theta, g, 1.0, rate)).sum()
}
