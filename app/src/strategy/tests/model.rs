//! A model for tests of the boundary: dense layers and a rectifier, nothing else, 5 → 4 → 3.

use crate::kernel;
use crate::model::layer::{At, ParameterSpec, Start};
use crate::model::{Extent, Graph, GraphBuilder, Layer, LayerKind, Network, Source, Tape};
use candle_core::{DType, Device, Result, Tensor};
use std::sync::Arc;

#[derive(Debug)]
struct Dense {
    width: usize,
}

impl Layer for Dense {
    fn kind(&self) -> LayerKind {
        LayerKind::Linear
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let input = self.width + 1;
        vec![
            ParameterSpec { name: "weight", shape: vec![self.width, input], start: Start::Normal { deviation: 0.5 } },
            ParameterSpec { name: "bias", shape: vec![self.width], start: Start::Constant(0.1) },
        ]
    }

    fn output(&self, _inputs: &[Extent]) -> Result<Extent> {
        Ok(Extent::dense(self.width))
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::repeat_row(at.y, &at.theta[1].reshape((1, self.width))?)?;
        kernel::gemm(at.y, 1.0, 1.0, at.x[0], false, &at.theta[0], true)
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        dx[0].map_or(Ok(()), |dx| kernel::gemm(dy, 0.0, 1.0, dx, false, &at.theta[0], true))
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        dx[0].map_or(Ok(()), |(dx, beta)| kernel::gemm(dx, beta, 1.0, dy, false, &at.theta[0], false))
    }
}

#[derive(Debug)]
struct Rectifier;

impl Layer for Rectifier {
    fn kind(&self) -> LayerKind {
        LayerKind::Activation
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        Ok(inputs[0])
    }

    fn saved(&self, batch: usize, inputs: &[Extent]) -> Vec<[usize; 2]> {
        vec![[batch * inputs[0].rows, inputs[0].width]]
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::copy(at.y, &at.x[0].relu()?)?;
        kernel::copy(&at.saved[0], &at.x[0].gt(0.0)?.to_dtype(at.y.dtype())?)
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        dx[0].map_or(Ok(()), |dx| kernel::hadamard(dy, dx, &at.saved[0]))
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        dx[0].map_or(Ok(()), |(dx, beta)| kernel::hadamard_add(dx, beta, dy, &at.saved[0]))
    }
}

/// Examples of the batch.
pub const BATCH: usize = 6;

/// A network with a tape whose forward pass is done.
pub struct Model {
    pub graph: Arc<Graph>,
    pub network: Network,
    pub tape: Tape,
}

impl Model {
    pub fn new(dtype: DType) -> Self {
        let mut builder = GraphBuilder::new(Extent::dense(5));
        let hidden = builder.add("fc1", Dense { width: 4 }, &[Source::Data]).unwrap();
        let hidden = builder.add("relu1", Rectifier, &[hidden]).unwrap();
        builder.add("fc2", Dense { width: 3 }, &[hidden]).unwrap();
        let graph = Arc::new(builder.finish().unwrap());
        let network = Network::new(Arc::clone(&graph), dtype, &Device::Cpu, 7).unwrap();
        let tape = Tape::new(Arc::clone(&graph), BATCH, dtype, &Device::Cpu).unwrap();
        let data = Tensor::zeros((BATCH, 5), dtype, &Device::Cpu).unwrap();
        let key = kernel::DrawKey { seed: 3, instance: 0, step: 0, site: 0, guess: 0, draw: 0 };
        kernel::fill_draws(&data, kernel::Draw::Normal, 1.0, key).unwrap();
        tape.forward(network.theta(), &data, None, |_| Ok::<_, candle_core::Error>(())).unwrap();
        Self { graph, network, tape }
    }
}
