//! Optimizer steps in one pass over a parameter and its state, with PyTorch's meaning of every setting.

use super::access::{same_shape, update};
use super::general;
use super::parallel::pairs;
use super::real::{Real, on_real};
use super::wide::wide;
use candle_core::{Result, Tensor};

/// Settings of [`sgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// Nesterov's form.
    pub nesterov: bool,
    /// Weight decay λ, added to the gradient.
    pub weight_decay: f64,
}

/// The rate of a plain step of gradient descent: θ ← θ − η(g + λθ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Learning rate η.
    pub lr: f64,
    /// Weight decay λ, added to the gradient.
    pub weight_decay: f64,
}

/// Settings of [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate η.
    pub lr: f64,
    /// Decay of the first moment β₁.
    pub beta1: f64,
    /// Decay of the second moment β₂.
    pub beta2: f64,
    /// ε, added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay λ: θ ← (1 − ηλ)θ before the step.
    pub weight_decay: f64,
}

wide! {
    fn sgd_pass<T: Real>(theta: &mut [T], gradient: &[T], lr: T, decay: T) {
        for (t, g) in theta.iter_mut().zip(gradient) {
            *t -= lr * (*g + decay * *t);
        }
    }
}

wide! {
    /// One step along `factor`·`v`; returns the squared norm of that.
    fn along_pass<T: Real>(theta: &mut [T], v: &[T], factor: T, lr: T, decay: T) -> f64 {
        const SUMS: usize = 16;
        let mut sums = [0f64; SUMS];
        for (theta, v) in theta.chunks_mut(SUMS).zip(v.chunks(SUMS)) {
            for ((t, v), sum) in theta.iter_mut().zip(v).zip(&mut sums) {
                let g = factor * *v;
                *t -= lr * (g + decay * *t);
                *sum += g.wide() * g.wide();
            }
        }
        sums.iter().sum()
    }
}

wide! {
    fn momentum_pass<T: Real>(theta: &mut [T], velocity: &mut [T], gradient: &[T], rates: [T; 3], nesterov: bool) {
        let [lr, momentum, decay] = rates;
        for ((t, v), g) in theta.iter_mut().zip(velocity).zip(gradient) {
            let g = *g + decay * *t;
            *v = momentum * *v + g;
            *t -= lr * if nesterov { g + momentum * *v } else { *v };
        }
    }
}

wide! {
    fn adam_pass<T: Real>(theta: &mut [T], first: &mut [T], second: &mut [T], gradient: &[T], c: [T; 6]) {
        let [step, beta1, beta2, epsilon, correction, keep] = c;
        for (((t, m), v), g) in theta.iter_mut().zip(first).zip(second).zip(gradient) {
            *m = beta1 * *m + (T::ONE - beta1) * *g;
            *v = beta2 * *v + (T::ONE - beta2) * *g * *g;
            *t = keep * *t - step * *m / (Real::sqrt(*v) * correction + epsilon);
        }
    }
}

/// θ ← θ − η(g + λθ); with a velocity v ← μv + g + λθ, θ ← θ − ηv (or θ − η(g + λθ + μv) in Nesterov's form). The velocity
/// starts at zero, so that the first one is the gradient, as in PyTorch.
///
/// # Errors
/// When the extents or types differ, or two operands share a storage.
pub fn sgd(theta: &Tensor, gradient: &Tensor, velocity: Option<&Tensor>, settings: Sgd) -> Result<()> {
    same_shape("sgd", theta, gradient)?;
    if let Some(velocity) = velocity {
        same_shape("sgd", theta, velocity)?;
    }
    if general::takes(theta) {
        return general::sgd(theta, gradient, velocity, settings);
    }
    let Sgd { lr, momentum, nesterov, weight_decay } = settings;
    on_real!(theta, T => match velocity {
        None => update::<T, _, 1, 1>("sgd", [theta], [gradient], |[theta], [gradient]| {
            let whole = theta.len();
            super::parallel::pieces(theta, whole, |start, theta| {
                let gradient = &gradient[start..start + theta.len()];
                sgd_pass(theta, gradient, T::of(lr), T::of(weight_decay));
            });
        }),
        Some(velocity) => update::<T, _, 2, 1>("sgd", [theta, velocity], [gradient], |[theta, velocity], [gradient]| {
            pairs(theta, velocity, |start, theta, velocity| {
                let gradient = &gradient[start..start + theta.len()];
                let rates = [T::of(lr), T::of(momentum), T::of(weight_decay)];
                momentum_pass(theta, velocity, gradient, rates, nesterov);
            });
        }),
    })
}

/// One plain step along a multiple of a direction, in one pass: θ ← θ − η(c·v + λθ). Returns ‖c·v‖².
///
/// The parameter becomes bit for bit what [`super::axpby`] and [`sgd`] make of it.
///
/// # Errors
/// When the extents or types differ, or both share a storage.
pub fn descend_along(theta: &Tensor, v: &Tensor, c: f64, rate: Rate) -> Result<f64> {
    same_shape("descend", theta, v)?;
    if general::takes(theta) {
        let step = v.zeros_like()?;
        super::axpby(&step, 0.0, c, v)?;
        let settings = Sgd { lr: rate.lr, momentum: 0.0, nesterov: false, weight_decay: rate.weight_decay };
        sgd(theta, &step, None, settings)?;
        return super::norm_squared(&step);
    }
    on_real!(theta, T => update::<T, _, 1, 1>("descend", [theta], [v], |[theta], [v]| {
        let (c, lr, decay) = (T::of(c), T::of(rate.lr), T::of(rate.weight_decay));
        super::parallel::sums(theta, |start, theta| along_pass(theta, &v[start..start + theta.len()], c, lr, decay))
    }))
}

/// Adam (Kingma and Ba, 2015) with decoupled weight decay (Loshchilov and Hutter, 2019), step `t` counted from 1:
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← (1 − ηλ)θ − η·m̂/(√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
///
/// # Errors
/// When the extents or types differ, or two operands share a storage.
pub fn adam(theta: &Tensor, gradient: &Tensor, first: &Tensor, second: &Tensor, settings: Adam, t: u64) -> Result<()> {
    for other in [gradient, first, second] {
        same_shape("adam", theta, other)?;
    }
    if general::takes(theta) {
        return general::adam(theta, gradient, first, second, settings, t);
    }
    let Adam { lr, beta1, beta2, epsilon, weight_decay } = settings;
    let (corrected, correction) = (lr / (1.0 - beta1.powf(t as f64)), 1.0 / (1.0 - beta2.powf(t as f64)).sqrt());
    let constants = [corrected, beta1, beta2, epsilon, correction, 1.0 - lr * weight_decay];
    on_real!(theta, T => update::<T, _, 3, 1>("adam", [theta, first, second], [gradient], |[theta, first, second], [gradient]| {
        super::parallel::triples(theta, first, second, |start, theta, first, second| {
            adam_pass(theta, first, second, &gradient[start..start + theta.len()], constants.map(T::of));
        });
    }))
}
