//! The sites of a model as a plugin sees them: matrices of rows and columns, whatever the layer.
#![forbid(unsafe_code)]

use crate::estimate::cost;
use crate::model::{Graph, LayerKind};
use candle_core::{Result, Tensor, bail};
use guesswork_plugin::abi;

/// One site in the interface's terms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SiteView {
    /// Name of the layer.
    pub name: String,
    /// `GW_LAYER_*`.
    pub layer: u32,
    /// Whether an activation follows directly.
    pub activated: bool,
    /// Width n_l.
    pub width: usize,
    /// Rows an example, P_l.
    pub rows_per_example: usize,
    /// Rows and columns of the weight as a matrix.
    pub weight: [usize; 2],
    /// Length of the bias, when there is one.
    pub bias: Option<usize>,
    /// Index of the weight among the model's parameters; the bias is the next.
    pub first_parameter: usize,
    /// Shapes of the parameters as they are stored.
    pub shapes: Vec<Vec<usize>>,
    /// The sites that follow.
    pub following: Vec<u32>,
    /// FLOP an example of the way back from the sites that follow.
    pub pull_back_flop: u64,
}

/// The sites of `graph`.
///
/// # Errors
/// A parametric layer that the interface has no words for.
pub(super) fn sites(graph: &Graph) -> Result<Vec<SiteView>> {
    let flop = cost::forward(graph, 1);
    let site = |place: &crate::model::Site| {
        let node = &graph.nodes[place.node];
        let layer = match node.layer.kind() {
            LayerKind::Linear => abi::GW_LAYER_LINEAR,
            LayerKind::Conv2d => abi::GW_LAYER_CONV2D,
            LayerKind::GroupedLinear => abi::GW_LAYER_GROUPED_LINEAR,
            LayerKind::Norm => abi::GW_LAYER_NORM,
            kind => bail!("layer `{}` is of kind {kind:?}, which plugins cannot be told of", node.name),
        };
        let shapes: Vec<Vec<usize>> = node.layer.parameters().into_iter().map(|spec| spec.shape).collect();
        let (Some(weight), 1..=2) = (shapes.first(), shapes.len()) else {
            bail!("layer `{}` has {} parameters; plugins know a weight and a bias", node.name, shapes.len());
        };
        Ok(SiteView {
            name: node.name.clone(),
            layer,
            activated: place.activation.is_some(),
            width: node.extent.width,
            rows_per_example: node.extent.rows,
            weight: matrix_shape(weight),
            bias: shapes.get(1).map(|shape| shape.iter().product()),
            first_parameter: node.first_parameter,
            shapes: shapes.clone(),
            following: place.following.iter().map(|&site| site as u32).collect(),
            pull_back_flop: place.region.iter().map(|&node| flop[node]).sum(),
        })
    };
    graph.sites.iter().map(site).collect()
}

/// A shape as rows and columns: the first extent by the rest; a vector is one row.
pub(super) fn matrix_shape(shape: &[usize]) -> [usize; 2] {
    match shape {
        [] => [1, 1],
        [n] => [1, *n],
        [rows, rest @ ..] => [*rows, rest.iter().product()],
    }
}

/// A contiguous tensor as a matrix, in the same memory.
///
/// # Errors
/// When it is not contiguous.
pub(super) fn as_matrix(tensor: &Tensor) -> Result<Tensor> {
    if !tensor.is_contiguous() {
        bail!("a tensor of shape {:?} is not contiguous", tensor.dims());
    }
    if tensor.rank() == 2 {
        return Ok(tensor.clone());
    }
    tensor.reshape(&matrix_shape(tensor.dims())[..])
}
