//! Products with the Hessian: the tangent pass over the adjoint pass.
//!
//! H v = d/dt g(θ + tv) at t = 0: the tangents of all values along v, then the adjoint pass with each of its factors moving in turn.
//! Exact, in about the time of four backpropagations. Where borders stop signals each part's own loss counts, H is block-diagonal.
//! Sources: Pearlmutter, "Fast exact multiplication by the Hessian" (1994); math.md, "Measurements".

use super::adjoint::at_inputs;
use super::layer::Along;
use super::tape::Tape;
use crate::kernel;
use candle_core::{Result, Tensor, bail};

/// Buffers of the products at one tape's points.
#[derive(Debug)]
pub struct Curvature {
    /// J_θ v of each site.
    injection: Vec<Option<Tensor>>,
    /// How the signal of each node moves.
    signals: Vec<Tensor>,
}

impl Curvature {
    /// Buffers for `tape`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(tape: &Tape) -> Result<Self> {
        tape.keep_tangents();
        let signals = tape.values.iter().map(Tensor::zeros_like).collect::<Result<Vec<_>>>()?;
        let site = |site: usize| tape.pre_activation(site).zeros_like().map(Some);
        Ok(Self { injection: (0..tape.graph.sites.len()).map(site).collect::<Result<_>>()?, signals })
    }

    /// `product ← H v`, both shaped as the parameters, at the point of the last forward and adjoint pass. `seeds` gives how
    /// ∂L/∂S of each output moves, given the tangents of the outputs.
    ///
    /// # Errors
    /// Those of the layers and of `seeds`; a tape that has seen no adjoint pass.
    pub fn product(
        &self,
        tape: &Tape,
        theta: &[Tensor],
        v: &[Tensor],
        seeds: impl FnOnce(&[Tensor]) -> Result<Vec<Tensor>>,
        product: &[Tensor],
    ) -> Result<()> {
        let Some(held) = tape.signals.get() else { bail!("the tape has seen no adjoint pass") };
        let graph = &tape.graph;
        for (site, into) in self.injection.iter().enumerate() {
            let (node, Some(into)) = (graph.site_node(site), into) else { continue };
            tape.tangent_parameters(theta, site, &v[node.first_parameter..][..node.parameters], into)?;
        }
        let seeds = seeds(&tape.tangent(theta, &self.injection, 1, false, &tape.graph().outputs)?)?;
        let mut touched = vec![false; graph.nodes.len()];
        for (&output, seed) in graph.outputs.iter().zip(&seeds) {
            touched[output] = true;
            kernel::copy(&self.signals[output], seed)?;
        }
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            let range = node.first_parameter..node.first_parameter + node.parameters;
            if !touched[index] || node.layer.stops() {
                for into in &product[range] {
                    kernel::fill(into, 0.0)?;
                }
                continue;
            }
            let mut moving: [Option<Tensor>; 2] = [None, None];
            for (moving, &source) in moving.iter_mut().zip(&node.inputs) {
                *moving = tape.tangent_of(source)?;
            }
            let moving = moving.each_ref().map(Option::as_ref);
            let along = Along { dx: &moving[..node.inputs.len().min(2)], v: &v[range.clone()], dy: &held[index] };
            let ddx = at_inputs(node, &self.signals, &mut touched);
            tape.at(theta, index, |at| {
                if ddx.iter().any(Option::is_some) {
                    node.layer.adjoint(at, 1, &self.signals[index], &ddx)?;
                    let ddx: Vec<Option<&Tensor>> = ddx.iter().map(|ddx| ddx.map(|(ddx, _)| ddx)).collect();
                    node.layer.adjoint_along(at, along, &ddx)?;
                }
                if node.parameters > 0 {
                    node.layer.adjoint_parameters(at, 1.0, &self.signals[index], 0.0, &product[range.clone()])?;
                    node.layer.adjoint_parameters_along(at, along, &product[range.clone()])?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
