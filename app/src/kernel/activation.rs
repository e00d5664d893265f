//! Activation functions with their derivatives, in one pass.

use super::access::{same_shape, update};
use super::general;
use super::parallel::pairs;
use super::real::{Real, on_real};
use super::wide::wide;
use candle_core::{Result, Tensor};

/// Slope of the leaky ReLU where s ≤ 0 (Maas, Hannun and Ng, 2013).
pub const LEAK: f64 = 0.01;

/// φ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// max(0, s), with derivative 1 for s > 0 and else 0.
    Relu,
    /// s for s > 0, else [`LEAK`]·s, with derivative 1 or [`LEAK`].
    LeakyRelu,
    /// tanh s.
    Tanh,
    /// s·Φ(s), exact.
    Gelu,
    /// s.
    Identity,
}

impl Activation {
    /// Calls `run` with the function of one number that gives φ(s) and φ'(s): which it is, is asked once for a whole pass.
    #[inline(always)]
    fn dispatch<T: Real>(self, run: impl Pass<T>) {
        match self {
            // A NaN goes through, so that it is seen.
            Self::Relu => {
                run.with(|s| (if s <= T::ZERO { T::ZERO } else { s }, if s > T::ZERO { T::ONE } else { T::ZERO }))
            }
            Self::LeakyRelu => run.with(|s| {
                let slope = if s > T::ZERO { T::ONE } else { T::of(LEAK) };
                (slope * s, slope)
            }),
            Self::Tanh => run.with(|s| {
                let tanh = Real::tanh(s);
                (tanh, T::ONE - tanh * tanh)
            }),
            Self::Gelu => run.with(|s| {
                let (cumulative, density) = s.normal_distribution();
                (s * cumulative, cumulative + s * density)
            }),
            Self::Identity => run.with(|s| (s, T::ONE)),
        }
    }
}

/// A pass over numbers, for a function that is known when it is compiled.
trait Pass<T> {
    fn with(self, f: impl Fn(T) -> (T, T));
}

/// `x ← φ(s)`, `m ← φ'(s)`.
struct Apart<'a, T> {
    s: &'a [T],
    x: &'a mut [T],
    m: &'a mut [T],
}

impl<T: Real> Pass<T> for Apart<'_, T> {
    #[inline(always)]
    fn with(self, f: impl Fn(T) -> (T, T)) {
        for ((s, x), m) in self.s.iter().zip(self.x).zip(self.m) {
            (*x, *m) = f(*s);
        }
    }
}

/// `x ← φ(x)`, `m ← φ'(x)`.
struct InPlace<'a, T> {
    x: &'a mut [T],
    m: &'a mut [T],
}

impl<T: Real> Pass<T> for InPlace<'_, T> {
    #[inline(always)]
    fn with(self, f: impl Fn(T) -> (T, T)) {
        for (x, m) in self.x.iter_mut().zip(self.m) {
            (*x, *m) = f(*x);
        }
    }
}

wide! {
    fn activation_pass<T: Real>(kind: Activation, s: &[T], x: &mut [T], m: &mut [T]) {
        kind.dispatch(Apart { s, x, m });
    }
}

wide! {
    fn overwrite_pass<T: Real>(kind: Activation, x: &mut [T], m: &mut [T]) {
        overwrite(kind, x, m);
    }
}

/// `x ← φ(x)`, `m ← φ'(x)`: compiled into the loop around it.
#[inline(always)]
pub(super) fn overwrite<T: Real>(kind: Activation, x: &mut [T], m: &mut [T]) {
    kind.dispatch(InPlace { x, m });
}

/// `x ← φ(s)`, `m ← φ'(s)`; `x` may be `s` itself.
///
/// # Errors
/// When the extents or types differ, or two operands share a storage otherwise.
pub fn activation(kind: Activation, s: &Tensor, x: &Tensor, m: &Tensor) -> Result<()> {
    same_shape("activation", x, s)?;
    same_shape("activation", m, s)?;
    if general::takes(x) {
        return general::activation(kind, s, x, m);
    }
    if x.id() == s.id() {
        return on_real!(x, T => update::<T, _, 2, 0>("activation", [x, m], [], |[x, m], []| {
            pairs(x, m, |_, x, m| overwrite_pass(kind, x, m));
        }));
    }
    on_real!(x, T => update::<T, _, 2, 1>("activation", [x, m], [s], |[x, m], [s]| {
        pairs(x, m, |start, x, m| activation_pass(kind, &s[start..start + x.len()], x, m));
    }))
}
