//! Every layer: the forward pass and the adjoint against Candle's autograd, the tangent against central differences, the
//! tangent against the adjoint, stacked against single, single precision against double, and the loops against Candle's
//! operations.

use super::support::{assert_close, assert_near, random, random_shaped};
use candle_core::{DType, Device, Result, Tensor, Var};
use guesswork::kernel::{self, Activation, Arena};
use guesswork::model::layer::{At, Start};
use guesswork::model::layers::{
    ActivationLayer, Add, Attention, AveragePool, Conv2d, Flatten, GroupNorm, GroupedLinear, LayerNorm, Linear,
    MaxPool, MeanTokens, Patches, Position, Standardise, TransposeTokens,
};
use guesswork::model::{Extent, Layer};

const BATCH: usize = 3;
const START: Start = Start::Constant(0.0);

/// A layer, what flows in, and the same function of Candle's operations: parameters and inputs to output, B = [`BATCH`].
struct Case {
    name: &'static str,
    layer: Box<dyn Layer>,
    inputs: Vec<Extent>,
    candle: Box<Function>,
}

type Function = dyn Fn(&[Tensor], &[Tensor]) -> Result<Tensor>;

fn case(
    name: &'static str,
    layer: impl Layer + 'static,
    inputs: &[Extent],
    candle: impl Fn(&[Tensor], &[Tensor]) -> Result<Tensor> + 'static,
) -> Case {
    Case { name, layer: Box::new(layer), inputs: inputs.to_vec(), candle: Box::new(candle) }
}

fn nchw(x: &Tensor, image: Extent) -> Result<Tensor> {
    let (height, width) = image.image.unwrap();
    x.reshape(((), height, width, image.width))?.permute((0, 3, 1, 2))?.contiguous()
}

fn rows(x: &Tensor) -> Result<Tensor> {
    let channels = x.dim(1)?;
    x.permute((0, 2, 3, 1))?.contiguous()?.reshape(((), channels))
}

fn convolution(name: &'static str, image: Extent, side: usize, stride: usize, padding: usize) -> Case {
    let layer = Conv2d::new(image, 4, side, stride, padding, START, START).unwrap();
    case(name, layer, &[image], move |theta, x| {
        let y = nchw(&x[0], image)?.conv2d(&theta[0], padding, stride, 1, 1)?;
        rows(&y.broadcast_add(&theta[1].reshape((1, (), 1, 1))?)?)
    })
}

fn activation(name: &'static str, function: Activation) -> Case {
    case(name, ActivationLayer { function }, &[Extent::tokens(2, 5)], move |_, x| match function {
        Activation::Relu => x[0].relu(),
        Activation::LeakyRelu => x[0].relu()? - (x[0].neg()?.relu()? * 0.01)?,
        Activation::Tanh => x[0].tanh(),
        Activation::Gelu => x[0].gelu_erf(),
        Activation::Identity => x[0].affine(1.0, 0.0),
    })
}

/// (x − mean)/√(variance + ε) along rows.
fn standardised(x: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    centred.broadcast_div(&(centred.sqr()?.mean_keepdim(1)? + 1e-5)?.sqrt()?)
}

fn group_norm(name: &'static str, image: Extent, groups: usize) -> Case {
    case(name, GroupNorm::new(image, groups).unwrap(), &[image], move |theta, x| {
        let planes = nchw(&x[0], image)?;
        let normal = standardised(&planes.reshape((BATCH * groups, ()))?)?.reshape(planes.dims())?;
        rows(&normal)?.broadcast_mul(&theta[0])?.broadcast_add(&theta[1])
    })
}

fn attention(name: &'static str, tokens: usize, width: usize, heads: usize) -> Case {
    let layer = Attention::new(tokens, width, heads).unwrap();
    case(name, layer, &[Extent::tokens(tokens, 3 * width)], move |_, x| {
        let all =
            x[0].reshape(&[BATCH, tokens, 3, heads, width / heads])?.permute(vec![2, 0, 3, 1, 4])?.contiguous()?;
        let scores = (all.get(0)?.matmul(&all.get(1)?.t()?)? * (heads as f64 / width as f64).sqrt())?;
        let weights = candle_nn::ops::softmax(&scores, 3)?;
        weights.matmul(&all.get(2)?)?.transpose(1, 2)?.contiguous()?.reshape(((), width))
    })
}

fn cases() -> Vec<Case> {
    let linear = || Linear { inputs: 5, outputs: 4, weight: START, bias: START };
    let dense = |theta: &[Tensor], x: &[Tensor]| x[0].matmul(&theta[0].t()?)?.broadcast_add(&theta[1]);
    let image = Extent::image(3, 6, 4);
    let odd = Extent::image(2, 7, 5);
    let tokens = Extent::tokens(4, 3);
    vec![
        case("linear", linear(), &[Extent::dense(5)], dense),
        case("linear on tokens", linear(), &[Extent::tokens(3, 5)], dense),
        convolution("conv 3×3", image, 3, 1, 1),
        convolution("conv 3×3 stride 2", image, 3, 2, 1),
        convolution("conv 2×2 without padding", odd, 2, 1, 0),
        convolution("conv 1×1", odd, 1, 1, 0),
        case("layer norm", LayerNorm { width: 6 }, &[Extent::tokens(2, 6)], |theta, x| {
            let centred = x[0].broadcast_sub(&x[0].mean_keepdim(1)?)?;
            let deviation = (centred.sqr()?.mean_keepdim(1)? + 1e-5)?.sqrt()?;
            centred.broadcast_div(&deviation)?.broadcast_mul(&theta[0])?.broadcast_add(&theta[1])
        }),
        activation("relu", Activation::Relu),
        activation("leaky relu", Activation::LeakyRelu),
        activation("tanh", Activation::Tanh),
        activation("gelu", Activation::Gelu),
        activation("identity", Activation::Identity),
        case("average pool", AveragePool::new(image, 2).unwrap(), &[image], move |_, x| {
            rows(&nchw(&x[0], image)?.avg_pool2d(2)?)
        }),
        case("average pool of an odd image", AveragePool::new(odd, 2).unwrap(), &[odd], move |_, x| {
            rows(&nchw(&x[0], odd)?.narrow(2, 0, 6)?.narrow(3, 0, 4)?.contiguous()?.avg_pool2d(2)?)
        }),
        // Candle's own max_pool2d divides the gradient by the window's area, so windows are rows here.
        case("max pool", MaxPool::new(image, 2).unwrap(), &[image], |_, x| {
            x[0].reshape(&[BATCH, 3, 2, 2, 2, 3])?.max(2)?.max(3)?.reshape(((), 3))
        }),
        case("max pool of an odd image", MaxPool::new(odd, 3).unwrap(), &[odd], |_, x| {
            let image = x[0].reshape((BATCH, 7, 5, 2))?.narrow(1, 0, 6)?.narrow(2, 0, 3)?.contiguous()?;
            image.reshape((BATCH, 2, 3, 3, 2))?.max(2)?.max(2)?.reshape(((), 2))
        }),
        case("mean over tokens", MeanTokens { tokens: 4 }, &[tokens], |_, x| x[0].reshape(((), 4, 3))?.mean(1)),
        case("flatten an image", Flatten { input: image }, &[image], move |_, x| nchw(&x[0], image)?.flatten_from(1)),
        case("flatten tokens", Flatten { input: tokens }, &[tokens], |_, x| x[0].reshape(((), 12))),
        case("transpose", TransposeTokens { rows: 4, width: 3 }, &[tokens], |_, x| {
            x[0].reshape(((), 4, 3))?.transpose(1, 2)?.contiguous()?.reshape(((), 4))
        }),
        case("patches", Patches::new(image, 2).unwrap(), &[image], |_, x| {
            let x = x[0].reshape(&[BATCH, 3, 2, 2, 2, 3])?.permute(vec![0, 1, 3, 5, 2, 4])?;
            x.contiguous()?.reshape(((), 12))
        }),
        case("norm without parameters", Standardise { groups: 1 }, &[Extent::tokens(2, 6)], |_, x| standardised(&x[0])),
        case("norm by groups without parameters", Standardise { groups: 2 }, &[Extent::tokens(2, 6)], |_, x| {
            standardised(&x[0].reshape(((), 3))?)?.reshape(((), 6))
        }),
        group_norm("group norm", Extent::image(6, 3, 2), 3),
        group_norm("group norm of one group", Extent::image(4, 2, 5), 1),
        case(
            "grouped linear",
            GroupedLinear { groups: 3, inputs: 2, outputs: 4, weight: START, bias: START },
            &[Extent::tokens(2, 6)],
            |theta, x| {
                let parts: Vec<Tensor> = (0..3)
                    .map(|group| x[0].narrow(1, 2 * group, 2)?.matmul(&theta[0].narrow(0, 4 * group, 4)?.t()?))
                    .collect::<Result<_>>()?;
                Tensor::cat(&parts, 1)?.broadcast_add(&theta[1])
            },
        ),
        attention("attention in one head", 3, 5, 1),
        attention("attention in heads", 4, 6, 3),
        attention("attention wider than a vector", 3, 38, 2),
        case("position", Position::new(4, 3), &[tokens], |_, x| {
            let place = |token: f64| [token.sin(), token.cos(), (token / 10_000f64.powf(2.0 / 3.0)).sin()];
            let table: Vec<f64> = (0..4).flat_map(|token| place(f64::from(token))).collect();
            let table = Tensor::from_vec(table, (1, 4, 3), &Device::Cpu)?.to_dtype(x[0].dtype())?;
            x[0].reshape(((), 4, 3))?.broadcast_add(&table)?.reshape(((), 3))
        }),
        case("add", Add, &[tokens, tokens], |_, x| &x[0] + &x[1]),
    ]
}

/// A case at a random point, with the buffers of one batch.
struct Point {
    theta: Vec<Tensor>,
    x: Vec<Tensor>,
    y: Tensor,
    saved: Vec<Tensor>,
    arena: Arena,
}

impl Point {
    fn new(case: &Case, dtype: DType) -> Self {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
        let specs = case.layer.parameters();
        let theta = specs.iter().zip(100..).map(|(spec, seed)| random_shaped(&spec.shape, seed));
        let x = case.inputs.iter().zip(200..).map(|(extent, seed)| random(BATCH * extent.rows, extent.width, seed));
        let output = case.layer.output(&case.inputs).unwrap();
        let point = Self {
            theta: theta.map(|theta| theta.to_dtype(dtype).unwrap()).collect(),
            x: x.map(|x| x.to_dtype(dtype).unwrap()).collect(),
            y: zeros(&[BATCH * output.rows, output.width]),
            saved: case.layer.saved(BATCH, &case.inputs).iter().map(|shape| zeros(shape)).collect(),
            arena: Arena::new(dtype, &Device::Cpu),
        };
        point.at(|at| case.layer.forward(at));
        point
    }

    fn at<R>(&self, f: impl FnOnce(At) -> Result<R>) -> R {
        let x: Vec<&Tensor> = self.x.iter().collect();
        let at = At { theta: &self.theta, x: &x, y: &self.y, saved: &self.saved, batch: BATCH, arena: &self.arena };
        f(at).unwrap()
    }

    /// Stacked random tangents of the inputs.
    fn tangents(&self, stack: usize, seed: u64) -> Vec<Tensor> {
        let seeds = seed..;
        let tangents = self
            .x
            .iter()
            .zip(seeds)
            .map(|(x, seed)| random(stack * x.dims()[0], x.dims()[1], seed).to_dtype(x.dtype()).unwrap());
        tangents.collect()
    }

    fn stacked_like_output(&self, stack: usize, seed: u64) -> Tensor {
        random(stack * self.y.dims()[0], self.y.dims()[1], seed).to_dtype(self.y.dtype()).unwrap()
    }

    fn direction(&self, seed: u64) -> Vec<Tensor> {
        let parts = self.theta.iter().zip(seed..);
        parts.map(|(theta, seed)| random_shaped(theta.dims(), seed).to_dtype(theta.dtype()).unwrap()).collect()
    }

    fn tangent(&self, case: &Case, stack: usize, dx: &[Tensor]) -> Tensor {
        let dy = self.stacked_like_output(stack, 1);
        let dx: Vec<Option<&Tensor>> = dx.iter().map(Some).collect();
        self.at(|at| case.layer.tangent(at, stack, &dx, &dy));
        dy
    }

    fn adjoint(&self, case: &Case, stack: usize, dy: &Tensor) -> Vec<Tensor> {
        let dx = self.tangents(stack, 2);
        let wanted: Vec<Option<(&Tensor, f64)>> = dx.iter().map(|dx| Some((dx, 0.0))).collect();
        self.at(|at| case.layer.adjoint(at, stack, dy, &wanted));
        dx
    }

    fn tangent_parameters(&self, case: &Case, v: &[Tensor]) -> Tensor {
        let dy = self.stacked_like_output(1, 3);
        self.at(|at| case.layer.tangent_parameters(at, v, 0.0, &dy));
        dy
    }

    fn adjoint_parameters(&self, case: &Case, dy: &Tensor) -> Vec<Tensor> {
        let dtheta = self.direction(4);
        self.at(|at| case.layer.adjoint_parameters(at, 1.0, dy, 0.0, &dtheta));
        dtheta
    }
}

fn dot(a: &[Tensor], b: &[Tensor]) -> f64 {
    a.iter().zip(b).map(|(a, b)| kernel::dot(a, b).unwrap()).sum()
}

#[test]
fn forward_and_adjoint_agree_with_candle() {
    for case in cases() {
        let point = Point::new(&case, DType::F64);
        let theta: Vec<Var> = point.theta.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
        let x: Vec<Var> = point.x.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
        let tensors = |vars: &[Var]| vars.iter().map(|var| var.as_tensor().clone()).collect::<Vec<_>>();
        let y = (case.candle)(&tensors(&theta), &tensors(&x)).unwrap();
        assert_close(&format!("{}: forward", case.name), &point.y, &y, 1e-10);

        let dy = point.stacked_like_output(1, 11);
        let gradients = (y * dy.reshape(point.y.dims()).unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
        for (dx, x) in point.adjoint(&case, 1, &dy).iter().zip(&x) {
            assert_close(&format!("{}: adjoint", case.name), dx, gradients.get(x).unwrap(), 1e-6);
        }
        for (dtheta, theta) in point.adjoint_parameters(&case, &dy).iter().zip(&theta) {
            assert_close(&format!("{}: gradient", case.name), dtheta, gradients.get(theta).unwrap(), 1e-6);
        }
    }
}

#[test]
fn tangents_agree_with_central_differences() {
    let h = 1e-5;
    for case in cases() {
        let point = Point::new(&case, DType::F64);
        let (dx, v) = (point.tangents(1, 21), point.direction(31));
        // (f(p + h dp) − f(p − h dp))/2h, p the inputs or the parameters.
        let difference = |of: fn(&mut Point) -> &mut Vec<Tensor>, dp: &[Tensor]| {
            let value = |h: f64| {
                let mut moved = Point::new(&case, DType::F64);
                for (p, dp) in of(&mut moved).iter().zip(dp) {
                    kernel::axpy(p, h, dp).unwrap();
                }
                moved.at(|at| case.layer.forward(at));
                moved.y
            };
            ((value(h) - value(-h)).unwrap() / (2.0 * h)).unwrap()
        };
        let expected = difference(|point| &mut point.x, &dx);
        assert_close(&format!("{}: tangent", case.name), &point.tangent(&case, 1, &dx), &expected, 1e-6);
        if !v.is_empty() {
            let expected = difference(|point| &mut point.theta, &v);
            let found = point.tangent_parameters(&case, &v);
            assert_close(&format!("{}: tangent of the parameters", case.name), &found, &expected, 1e-6);
        }
    }
}

#[test]
fn tangent_and_adjoint_are_transposes() {
    for case in cases() {
        let point = Point::new(&case, DType::F64);
        let (dx, e, v) = (point.tangents(2, 41), point.stacked_like_output(2, 42), point.direction(43));
        let (forward, backward) = (point.tangent(&case, 2, &dx), point.adjoint(&case, 2, &e));
        assert_near(case.name, dot(&[forward], &[e]), dot(&dx, &backward), 1e-10);
        if !v.is_empty() {
            let e = point.stacked_like_output(1, 44);
            let (forward, backward) = (point.tangent_parameters(&case, &v), point.adjoint_parameters(&case, &e));
            assert_near(case.name, dot(&[forward], &[e]), dot(&v, &backward), 1e-10);
        }
    }
}

#[test]
fn stacked_equals_single_and_beta_keeps_what_was_there() {
    for case in cases() {
        let point = Point::new(&case, DType::F64);
        let (dx, e) = (point.tangents(3, 51), point.stacked_like_output(3, 52));
        let (forward, backward) = (point.tangent(&case, 3, &dx), point.adjoint(&case, 3, &e));
        let part = |stacked: &Tensor, index: usize| {
            let rows = stacked.dims()[0] / 3;
            stacked.narrow(0, index * rows, rows).unwrap()
        };
        for index in 0..3 {
            let one: Vec<Tensor> = dx.iter().map(|dx| part(dx, index)).collect();
            assert_close(case.name, &part(&forward, index), &point.tangent(&case, 1, &one), 1e-13);
            for (stacked, one) in backward.iter().zip(point.adjoint(&case, 1, &part(&e, index))) {
                assert_close(case.name, &part(stacked, index), &one, 1e-13);
            }
        }
        for beta in [1.0, 0.5] {
            let kept = point.tangents(3, 53);
            let expected: Vec<Tensor> =
                kept.iter().zip(&backward).map(|(k, b)| ((k * beta).unwrap() + b).unwrap()).collect();
            let wanted: Vec<Option<(&Tensor, f64)>> = kept.iter().map(|dx| Some((dx, beta))).collect();
            point.at(|at| case.layer.adjoint(at, 3, &e, &wanted));
            for (found, expected) in kept.iter().zip(&expected) {
                assert_close(&format!("{} with beta {beta}", case.name), found, expected, 1e-13);
            }
        }
        let (v, dy) = (point.direction(54), point.stacked_like_output(1, 55));
        let (kept, plain) = (point.direction(56), point.adjoint_parameters(&case, &dy));
        let expected: Vec<Tensor> =
            kept.iter().zip(&plain).map(|(k, p)| ((k * 0.5).unwrap() + (p * 3.0).unwrap()).unwrap()).collect();
        point.at(|at| case.layer.adjoint_parameters(at, 3.0, &dy, 0.5, &kept));
        for (found, expected) in kept.iter().zip(&expected) {
            assert_close(&format!("{}: accumulated gradient", case.name), found, expected, 1e-13);
        }
        if !v.is_empty() {
            let kept = point.stacked_like_output(1, 57);
            let expected = ((&kept * 0.5).unwrap() + point.tangent_parameters(&case, &v)).unwrap();
            point.at(|at| case.layer.tangent_parameters(at, &v, 0.5, &kept));
            assert_close(&format!("{}: accumulated tangent", case.name), &kept, &expected, 1e-13);
        }
    }
}

/// Everything a layer computes at one point.
fn everything(case: &Case, dtype: DType) -> Vec<Tensor> {
    let point = Point::new(case, dtype);
    let (dx, e, v) = (point.tangents(2, 61), point.stacked_like_output(2, 62), point.direction(63));
    let mut all = vec![point.y.copy().unwrap(), point.tangent(case, 2, &dx)];
    all.extend(point.adjoint(case, 2, &e));
    if !v.is_empty() {
        all.push(point.tangent_parameters(case, &v));
        all.extend(point.adjoint_parameters(case, &point.stacked_like_output(1, 64)));
    }
    all
}

#[test]
fn single_precision_is_close_to_double() {
    for case in cases() {
        for (single, double) in everything(&case, DType::F32).iter().zip(everything(&case, DType::F64)) {
            assert_close(case.name, single, &double, 1e-5);
        }
    }
}

#[test]
fn candle_operations_agree_with_the_loops() {
    for case in cases() {
        let loops = everything(&case, DType::F64);
        let candle = kernel::with_candle(|| everything(&case, DType::F64));
        for (index, (candle, loops)) in candle.iter().zip(&loops).enumerate() {
            assert_close(&format!("{} result {index}", case.name), candle, loops, 1e-12);
        }
    }
}

#[test]
fn impossible_inputs_are_refused_with_the_extents() {
    let image = Extent::image(3, 6, 4);
    let text = |result: Result<Extent>| result.unwrap_err().to_string();
    assert!(
        text(Linear { inputs: 5, outputs: 4, weight: START, bias: START }.output(&[Extent::dense(6)])).contains('6')
    );
    assert!(text(LayerNorm { width: 3 }.output(&[Extent::dense(6)])).contains('6'));
    assert!(text(Add.output(&[Extent::dense(6), Extent::dense(7)])).contains('7'));
    assert!(text(MeanTokens { tokens: 3 }.output(&[Extent::tokens(4, 2)])).contains('4'));
    assert!(Conv2d::new(image, 2, 9, 1, 1, START, START).unwrap_err().to_string().contains("6×4"));
    assert!(Patches::new(image, 3).unwrap_err().to_string().contains("6×4"));
    assert!(MaxPool::new(Extent::tokens(4, 3), 2).is_err());
    assert!(AveragePool::new(image, 5).is_err());
}
