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

/// `x ← φ(s)`, `m ← φ'(s)`: compiled into the loop around it.
#[inline(always)]
pub(super) fn activate<T: Real>(kind: Activation, s: &[T], x: &mut [T], m: &mut [T]) {
    let places = s.iter().zip(x).zip(m);
    match kind {
        Activation::Relu => {
            for ((s, x), m) in places {
                let positive = *s > T::ZERO;
                // A NaN goes through, so that it is seen.
                *x = if *s <= T::ZERO { T::ZERO } else { *s };
                *m = if positive { T::ONE } else { T::ZERO };
            }
        }
        Activation::LeakyRelu => {
            let leak = T::of(LEAK);
            for ((s, x), m) in places {
                let slope = if *s > T::ZERO { T::ONE } else { leak };
                *x = slope * *s;
                *m = slope;
            }
        }
        Activation::Tanh => {
            for ((s, x), m) in places {
                let tanh = Real::tanh(*s);
                *x = tanh;
                *m = T::ONE - tanh * tanh;
            }
        }
        Activation::Gelu => {
            for ((s, x), m) in places {
                let (cumulative, density) = s.normal_distribution();
                *x = *s * cumulative;
                *m = cumulative + *s * density;
            }
        }
        Activation::Identity => {
            for ((s, x), m) in places {
                *x = *s;
                *m = T::ONE;
            }
        }
    }
}

wide! {
    fn activation_pass<T: Real>(kind: Activation, s: &[T], x: &mut [T], m: &mut [T]) {
        activate(kind, s, x, m);
    }
}

wide! {
    fn overwrite_pass<T: Real>(kind: Activation, x: &mut [T], m: &mut [T]) {
        overwrite(kind, x, m);
    }
}

/// `x ← φ(x)`, `m ← φ'(x)`, a group at a time: each is read before it is written.
#[inline(always)]
pub(super) fn overwrite<T: Real>(kind: Activation, x: &mut [T], m: &mut [T]) {
    let (x, m) = overwrite_groups::<16, T>(kind, x, m);
    let (x, m) = overwrite_groups::<8, T>(kind, x, m);
    overwrite_groups::<1, T>(kind, x, m);
}

/// [`overwrite`] for the groups of `N`; returns what is left.
#[inline(always)]
fn overwrite_groups<'a, const N: usize, T: Real>(
    kind: Activation,
    x: &'a mut [T],
    m: &'a mut [T],
) -> (&'a mut [T], &'a mut [T]) {
    let ((xs, x), (ms, m)) = (x.as_chunks_mut::<N>(), m.as_chunks_mut::<N>());
    for (x, m) in xs.iter_mut().zip(ms) {
        let (mut made, mut slope) = ([T::ZERO; N], [T::ZERO; N]);
        activate(kind, &*x, &mut made, &mut slope);
        (*x, *m) = (made, slope);
    }
    (x, m)
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
