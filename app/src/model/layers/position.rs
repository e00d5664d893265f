//! Where a token stands, added to it: y = x + p, p sinusoids of falling frequency (Vaswani et al., 2017), sines in even
//! columns, cosines in odd ones.

use super::{first, only};
use crate::kernel;
use crate::model::layer::{At, Couples, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// The longest wave is this many times 2π tokens long.
const LONGEST: f64 = 10_000.0;

/// Fixed positions of the rows of an example.
#[derive(Clone, Debug)]
pub struct Position {
    tokens: usize,
    width: usize,
    table: Vec<f64>,
}

impl Position {
    /// Positions of `tokens` rows of `width`.
    pub fn new(tokens: usize, width: usize) -> Self {
        let place = |index: usize| {
            let (token, column) = (index / width.max(1), index % width.max(1));
            let angle = token as f64 / LONGEST.powf((column - column % 2) as f64 / width as f64);
            if column % 2 == 0 { angle.sin() } else { angle.cos() }
        };
        Self { tokens, width, table: (0..tokens * width).map(place).collect() }
    }
}

impl Layer for Position {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn couples(&self) -> Couples {
        Couples::EACH
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if (input.rows, input.width) != (self.tokens, self.width) {
            bail!("takes {} rows of width {}, not {} of {}", self.tokens, self.width, input.rows, input.width);
        }
        Ok(input)
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::add_table(at.y, at.x[0], &self.table)
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::copy(dy, dx),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::axpby(dx, beta, 1.0, dy),
            None => Ok(()),
        }
    }
}
