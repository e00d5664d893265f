//! The values of one batch and the passes over them: forward, stacked tangents, adjoint, pull-back.
//!
//! A tape is planned once for an architecture and a batch size; a pass writes into its buffers and allocates nothing
//! that is kept. Parameters are passed to every call, so the same tape serves θ and its perturbations.
//!
//! S_l is overwritten by X_l where nothing but the activation reads it, unless it is asked to be kept: a step then writes, and
//! holds, two matrices a layer instead of three.

use super::graph::{Graph, Source};
use super::layer::At;
use super::tangent::Tangents;
use crate::kernel::{self, Activated, Activation, Arena};
use candle_core::{DType, Device, Result, Tensor, bail};
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

/// What is added at the sites of a forward or tangent pass: one matrix a site, (K·B·P_l) × n_l, or nothing.
pub type Injection<'a> = &'a [Option<Tensor>];

/// Buffers for one batch size.
#[derive(Debug)]
pub struct Tape {
    pub(super) graph: Arc<Graph>,
    pub(super) batch: usize,
    pub(super) dtype: DType,
    pub(super) device: Device,
    data: RefCell<Option<Tensor>>,
    /// Of each node; that of a site that its activation overwrites is the activation's own.
    pub(super) values: Vec<Tensor>,
    /// Memory of their own for the overwritten values, by node, once they are to be kept.
    kept: OnceCell<Vec<Option<Tensor>>>,
    pub(super) saved: Vec<Vec<Tensor>>,
    pub(super) signals: OnceCell<Vec<Tensor>>,
    pub(super) tangents: RefCell<Tangents>,
    pub(super) arena: Arena,
}

impl Tape {
    /// Plans the buffers of a batch of `batch` examples.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(graph: Arc<Graph>, batch: usize, dtype: DType, device: &Device) -> Result<Self> {
        let (mut values, mut saved) = (Vec::new(), Vec::new());
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            let inputs: Vec<_> = node.inputs.iter().map(|&source| extent(&graph, source)).collect();
            values.push(match values.last() {
                Some(next) if overwritten(&graph, index) => Tensor::clone(next),
                _ => Tensor::zeros((batch * node.extent.rows, node.extent.width), dtype, device)?,
            });
            let buffers = node.layer.saved(batch, &inputs);
            saved.push(buffers.iter().map(|shape| Tensor::zeros(shape, dtype, device)).collect::<Result<_>>()?);
        }
        values.reverse();
        saved.reverse();
        Ok(Self {
            graph,
            batch,
            dtype,
            device: device.clone(),
            data: RefCell::new(None),
            values,
            kept: OnceCell::new(),
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

    /// From the next forward pass on every S_l is kept, in memory of its own.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn keep_pre_activations(&self) -> Result<()> {
        if self.kept.get().is_none() {
            let own = |node: usize| match overwritten(&self.graph, node) {
                true => self.values[node].zeros_like().map(Some),
                false => Ok(None),
            };
            let kept = (0..self.values.len()).map(own).collect::<Result<_>>()?;
            self.kept.get_or_init(|| kept);
        }
        Ok(())
    }

    /// Bytes that the forward pass keeps for tangents and adjoints.
    pub fn bytes(&self) -> usize {
        let own = (0..self.values.len()).filter(|&node| !overwritten(&self.graph, node)).map(|node| &self.values[node]);
        let kept = own.chain(self.kept.get().into_iter().flatten().flatten()).chain(self.saved.iter().flatten());
        kept.map(Tensor::elem_count).sum::<usize>() * self.dtype.size_in_bytes()
    }

    /// Output of `node`, (B·P) × n; of an S_l that is not kept only the extents hold.
    pub fn value(&self, node: usize) -> &Tensor {
        let kept = self.kept.get().and_then(|kept| kept[node].as_ref());
        kept.unwrap_or(&self.values[node])
    }

    /// What `node` saved in the forward pass.
    pub fn saved(&self, node: usize) -> &[Tensor] {
        &self.saved[node]
    }

    /// The logits S_L, B × C.
    pub fn logits(&self) -> &Tensor {
        &self.values[self.values.len() - 1]
    }

    /// The values that are scored, in the order of [`Graph::outputs`]: the logits last.
    pub fn outputs(&self) -> Vec<&Tensor> {
        self.graph.outputs.iter().map(|&node| &self.values[node]).collect()
    }

    /// Pre-activation S_l of a site; see [`Tape::value`].
    pub fn pre_activation(&self, site: usize) -> &Tensor {
        self.value(self.graph.sites[site].node)
    }

    /// Whether S_l of a site is there after a forward pass, and not overwritten by X_l.
    pub fn keeps_pre_activation(&self, site: usize) -> bool {
        self.kept.get().is_some() || !overwritten(&self.graph, self.graph.sites[site].node)
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
            Source::Node(earlier) => self.value(earlier),
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
            y: self.value(node),
            saved: &self.saved[node],
            batch: self.batch,
            arena: &self.arena,
        })
    }

    /// A forward pass begins.
    pub(super) fn start(&self, data: &Tensor) {
        self.data.replace(Some(data.clone()));
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
        self.start(data);
        let (mut waiting, mut made) = (None, None);
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let injected = match (injection, node.site) {
                (Some((matrices, scale)), Some(site)) => matrices[site].as_ref().map(|matrix| (matrix, scale)),
                _ => None,
            };
            if made.take() != Some(index) {
                let activated = if injected.is_none() { self.activated(index) } else { None };
                let at_once = self.at(theta, index, |at| node.layer.forward_beside(at, activated, None))?;
                made = at_once.then_some(index + 1);
            }
            if let Some((matrix, scale)) = injected {
                kernel::axpy(self.value(index), scale, matrix)?;
            }
            if let Some(site) = node.site {
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

    /// The activation of the site at `node`, if it is the next node: it can be made in the site's own pass.
    pub(super) fn activated(&self, node: usize) -> Option<Activated<'_>> {
        let site = self.graph.nodes[node].site?;
        let next = self.graph.sites[site].activation.filter(|&activation| activation == node + 1)?;
        let kind = self.graph.nodes[next].layer.activation()?;
        Some(Activated { kind, x: &self.values[next], m: self.saved[next].first()? })
    }
}

/// Whether the value of `node` is of no use once its activation, the next node, is made: nothing else reads it. What bends reads
/// S_l for its second derivative, unless X_l tells it.
fn overwritten(graph: &Graph, node: usize) -> bool {
    let Some(next) = graph.nodes[node].site.and_then(|site| graph.sites[site].activation) else { return false };
    let told = matches!(
        graph.nodes[next].layer.activation(),
        Some(Activation::Relu | Activation::LeakyRelu | Activation::Tanh)
    );
    let reads =
        |reader: &super::graph::Node| reader.inputs.iter().filter(|&&source| source == Source::Node(node)).count();
    told && next == node + 1 && !graph.outputs.contains(&node) && graph.nodes.iter().map(reads).sum::<usize>() == 1
}

fn extent(graph: &Graph, source: Source) -> super::layer::Extent {
    match source {
        Source::Data => graph.input,
        Source::Node(node) => graph.nodes[node].extent,
    }
}
