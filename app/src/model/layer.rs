//! The contract that every layer implements: `forward`, `tangent` (JVP) and `adjoint` (VJP), each split into the part
//! that is linear in the input and the part that is linear in the layer's own parameters.
//!
//! All values are matrices, row-major: (B·P) × n, where P is the number of rows an example has at that place (dense 1,
//! convolution positions in row order, tokens or channels in a mixer) and n the width. Images are held position by
//! position (NHWC), so that a convolution's output rows are the rows of its signal. Tangents and signals may come
//! stacked: `stack` blocks of B·P rows one under the other, all at the same primal point.
//!
//! A layer knows nothing of strategies, scopes or optimizers. It is immutable: parameters, saved values and scratch
//! are passed in, so one architecture serves any number of parameter sets and batch sizes.

use crate::kernel::{Activated, Activation, Arena, Rate};
use candle_core::{Result, Tensor};
use std::fmt::Debug;

/// Extents of one example's value: P rows of width n, and the image they form, if they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows an example, P.
    pub rows: usize,
    /// Width of a row, n (channels of an image).
    pub width: usize,
    /// Height and width of the image whose positions the rows are; height · width = P.
    pub image: Option<(usize, usize)>,
}

impl Extent {
    /// One row of `width`.
    pub fn dense(width: usize) -> Self {
        Self { rows: 1, width, image: None }
    }

    /// `rows` rows of `width` that form no image.
    pub fn tokens(rows: usize, width: usize) -> Self {
        Self { rows, width, image: None }
    }

    /// An image of `channels` planes.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Self { rows: height * width, width: channels, image: Some((height, width)) }
    }

    /// Numbers an example takes.
    pub fn len(&self) -> usize {
        self.rows * self.width
    }

    /// Whether an example takes no numbers at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// All elements equal.
    Constant(f64),
    /// N(0, deviation²).
    Normal {
        /// Standard deviation.
        deviation: f64,
    },
    /// U(−bound, bound).
    Uniform {
        /// Half the width of the interval.
        bound: f64,
    },
}

/// A parameter that a layer declares.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `weight` or `bias`: the layer's name is put before it.
    pub name: &'static str,
    /// Shape as it is stored (linear n_l × n_{l-1}; convolution out × in × kh × kw; norm n).
    pub shape: Vec<usize>,
    /// How it starts.
    pub start: Start,
}

/// What a layer is, as far as others may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Dense layer on the last dimension.
    Linear,
    /// Two-dimensional convolution.
    Conv2d,
    /// Dense layers side by side on groups of columns.
    GroupedLinear,
    /// Layer or group normalisation with scale and shift.
    Norm,
    /// Element-wise activation: its derivative is what math.md calls M_l.
    Activation,
    /// Anything else without parameters (pooling, transposition, flattening, sum).
    Shape,
}

/// Which elements of an example's input act on which of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Couples {
    /// Rows and columns change places, nothing else.
    Transposed,
    /// Rows, and columns, in this many parts of neighbours that do not act on each other; each by itself where there is no number.
    Within {
        /// Parts of the rows.
        rows: Option<usize>,
        /// Parts of the columns.
        columns: Option<usize>,
    },
}

impl Couples {
    /// Everything on everything.
    pub const ALL: Self = Self::Within { rows: Some(1), columns: Some(1) };
    /// Each element on its own.
    pub const EACH: Self = Self::Within { rows: None, columns: None };

    /// The columns of a row on each other, in so many groups.
    pub fn columns(groups: usize) -> Self {
        Self::Within { rows: None, columns: Some(groups) }
    }
}

/// The primal point of a layer: what the forward pass left behind.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The layer's parameters, in the order of [`Layer::parameters`].
    pub theta: &'a [Tensor],
    /// Its inputs, (B·P_in) × n_in each.
    pub x: &'a [&'a Tensor],
    /// Its output, (B·P) × n.
    pub y: &'a Tensor,
    /// The buffers of [`Layer::saved`].
    pub saved: &'a [Tensor],
    /// Examples in the batch, B.
    pub batch: usize,
    /// Scratch matrices.
    pub arena: &'a Arena,
}

/// Tangents to be carried through a layer.
#[derive(Clone, Copy)]
pub struct Tangent<'a> {
    /// How many blocks.
    pub stack: usize,
    /// Of the inputs; `None` is zero, and at least one is given.
    pub dx: &'a [Option<&'a Tensor>],
    /// Of the output.
    pub dy: &'a Tensor,
}

/// What moves while a signal is carried back: the directions that a second derivative is taken along.
#[derive(Clone, Copy)]
pub struct Along<'a> {
    /// Tangents of the inputs; `None` is zero.
    pub dx: &'a [Option<&'a Tensor>],
    /// The direction of the layer's own parameters, shaped as they are.
    pub v: &'a [Tensor],
    /// The signal at the output, held still.
    pub dy: &'a Tensor,
}

/// One layer. See the module's documentation.
pub trait Layer: Debug + Send + Sync {
    /// What it is.
    fn kind(&self) -> LayerKind;

    /// The parameters it declares, weight first; a layer with parameters is a site. None by default.
    fn parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// What acts on what within an example; everything on everything unless the layer knows better.
    fn couples(&self) -> Couples {
        Couples::ALL
    }

    /// Extent of the output for inputs of these extents.
    ///
    /// # Errors
    /// When the extents do not fit: says which were given and which are expected.
    fn output(&self, inputs: &[Extent]) -> Result<Extent>;

    /// Rows × columns of the buffers the forward pass saves for tangents and adjoints, for a batch of `batch` examples.
    /// An activation's first is its derivative M; a convolution's first its im2col rows; a norm's first x̂.
    fn saved(&self, _batch: usize, _inputs: &[Extent]) -> Vec<[usize; 2]> {
        Vec::new()
    }

    /// `y ← f(x; θ)`, filling `saved`. In `at`, `y` and `saved` are destinations.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn forward(&self, at: At) -> Result<()>;

    /// `dy ← J_x dx`, for `stack` tangents at once. `None` stands for a zero tangent; at least one is given.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn tangent(&self, at: At, stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()>;

    /// `dx_i ← beta_i·dx_i + J_{x_i}ᵀ dy`, for `stack` signals at once; `None` where it is not wanted.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn adjoint(&self, at: At, stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()>;

    /// `dy ← beta·dy + J_θ v`, one direction `v` shaped as the parameters.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn tangent_parameters(&self, _at: At, _v: &[Tensor], _beta: f64, _dy: &Tensor) -> Result<()> {
        Ok(())
    }

    /// `dθ ← beta·dθ + alpha·J_θᵀ dy`, shaped as the parameters: a guess' weight direction is this with dy = E_l.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn adjoint_parameters(&self, _at: At, _alpha: f64, _dy: &Tensor, _beta: f64, _dtheta: &[Tensor]) -> Result<()> {
        Ok(())
    }

    /// `ddx_i ← ddx_i + (∂J_{x_i}[dx, v])ᵀ dy`: how [`Layer::adjoint`] turns while the point moves along `along`; `None` where it is
    /// not wanted. Nothing where the output is linear in the inputs, with no parameter between.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn adjoint_along(&self, _at: At, _along: Along, _ddx: &[Option<&Tensor>]) -> Result<()> {
        Ok(())
    }

    /// `ddθ ← ddθ + (∂J_θ[dx, v])ᵀ dy`: how [`Layer::adjoint_parameters`] turns, shaped as the parameters.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn adjoint_parameters_along(&self, _at: At, _along: Along, _ddtheta: &[Tensor]) -> Result<()> {
        Ok(())
    }

    /// `forward` together with what can share its pass: the activation that follows, and the tangents `dy ← J_x dx` of
    /// `beside`. Returns whether the activation was made.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn forward_beside(&self, at: At, _activated: Option<Activated>, beside: Option<Tangent>) -> Result<bool> {
        self.forward(at)?;
        if let Some(Tangent { stack, dx, dy }) = beside {
            self.tangent(at, stack, dx, dy)?;
        }
        Ok(false)
    }

    /// Whether no tangent and no signal passes it: a border between parts of a model that are trained apart.
    fn stops(&self) -> bool {
        false
    }

    /// φ, if the layer is an activation.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// `θ ← θ − η(g + λθ)` with g = `J_θᵀ dy`, which is not stored: returns ‖g‖². `None`, with nothing done, where the
    /// layer must form g.
    ///
    /// # Errors
    /// As Candle's operations do.
    fn descend(&self, _at: At, _dy: &Tensor, _rate: Rate) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Multiply-add pairs of one forward pass an example: F of math.md, in FLOP (two a pair).
    fn flop(&self, _inputs: &[Extent]) -> u64 {
        0
    }

    /// The layer's own input as rows × n_{l-1} (a convolution's im2col rows, a norm's x̂): what the Gram identity and
    /// the input role use. `None` for layers without parameters.
    fn rows<'a>(&self, at: At<'a>) -> Option<&'a Tensor> {
        if self.parameters().is_empty() { None } else { at.x.first().copied() }
    }
}
