//! Mean and length of a strategy's estimate over many draws, with their standard errors, and the signals that a mean is
//! compared with.

use crate::fixture::{Fixture, dot, flatten};
use crate::proposer::Proposer;
use candle_core::{Result, Tensor};
use guesswork::estimate::Settings;
use guesswork::workspace::ParamValue;
use guesswork_plugin::dense;

pub type Params<'a> = &'a [(&'a str, ParamValue)];

/// Mean of ĝ, its standard errors, and the mean of ‖ĝ‖² with its own.
pub struct Found {
    pub mean: Vec<f64>,
    pub error: Vec<f64>,
    pub length: f64,
    pub length_error: f64,
}

/// Over `draws` steps after `first` of one instance.
pub fn found(f: &Fixture, strategy: &str, params: Params, settings: Settings, steps: (u64, u64)) -> Found {
    watched(f, Proposer::new(strategy, params, settings, &f.network, &f.tape), steps)
}

pub fn watched(f: &Fixture, mut proposer: Proposer, (first, draws): (u64, u64)) -> Found {
    let mut estimator = proposer.estimator(&f.tape, &f.network);
    for step in 0..first {
        proposer.propose(&f.network, &f.tape, &f.data, step, &estimator);
    }
    gather(f, draws, |number, estimate| {
        proposer.propose(&f.network, &f.tape, &f.data, first + number, &estimator);
        proposer.estimate(f.point(), &mut estimator, estimate);
    })
}

/// Over the first guesses of `draws` instances, each at a step of its own: what an instance draws once differs between them.
pub fn renewed(f: &Fixture, draws: u64, make: impl Fn() -> Proposer) -> Found {
    gather(f, draws, |number, estimate| {
        let mut proposer = make();
        let mut estimator = proposer.estimator(&f.tape, &f.network);
        proposer.propose(&f.network, &f.tape, &f.data, number, &estimator);
        proposer.estimate(f.point(), &mut estimator, estimate);
    })
}

/// Over the estimates that `fresh` writes.
pub fn gather(f: &Fixture, draws: u64, mut fresh: impl FnMut(u64, &[Tensor])) -> Found {
    let estimate = f.network.zeros_like().unwrap();
    let n = f.gradient().len();
    let (mut sum, mut square, mut length, mut fourth) = (vec![0.0; n], vec![0.0; n], 0.0, 0.0);
    for number in 0..draws {
        fresh(number, &estimate);
        let estimate = flatten(&estimate);
        let size = dot(&estimate, &estimate);
        length += size;
        fourth += size * size;
        for ((sum, square), value) in sum.iter_mut().zip(&mut square).zip(estimate) {
            *sum += value;
            *square += value * value;
        }
    }
    let m = draws as f64;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / m).collect();
    // A number that never changes has a variance of rounding, of either sign.
    let variance = |mean: &f64, square: &f64| (square / m - mean * mean).max(0.0) / m;
    let error = mean.iter().zip(&square).map(|(mean, square)| variance(mean, square).sqrt()).collect();
    let length = length / m;
    Found { mean, error, length, length_error: ((fourth / m - length * length) / m).sqrt() }
}

impl Found {
    #[track_caller]
    pub fn assert_mean(&self, expected: &[f64], what: &str) {
        for (index, ((mean, error), expected)) in self.mean.iter().zip(&self.error).zip(expected).enumerate() {
            assert!(
                (mean - expected).abs() <= 5.5 * error + 1e-10,
                "{what}, element {index}: {mean} ± {error} for {expected}"
            );
        }
    }
}

/// ‖a − b‖/‖b‖.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    (dot(&difference, &difference) / dot(b, b)).sqrt()
}

/// Parameter-shaped: each site's gradient for the signal that `change` makes of the true one.
pub fn gradient_of(f: &Fixture, change: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<Vec<f64>> {
    let expected = f.network.zeros_like()?;
    for site in 0..f.tape.graph().sites.len() {
        let signal = change(site, f.tape.signal(site).expect("an adjoint pass was made"))?.contiguous()?;
        let node = f.tape.graph().site_node(site);
        let range = node.first_parameter..node.first_parameter + node.parameters;
        f.tape.adjoint_parameters(f.network.theta(), site, 1.0, &signal, 0.0, &expected[range])?;
    }
    Ok(flatten(&expected))
}

/// A matrix of one example, row by row.
pub type Rows = Vec<Vec<f64>>;

/// The weight of layer l + 1, n_{l+1} × n_l.
pub fn weight_above(f: &Fixture, site: usize) -> Rows {
    let theta = &f.network.theta()[f.tape.graph().site_node(site + 1).first_parameter];
    theta.to_vec2().expect("a dense layer in f64")
}

/// The diagonal of M_{l,i}; ones where no activation follows.
pub fn mask(f: &Fixture, site: usize, i: usize) -> Vec<f64> {
    let row = |mask: &Tensor| mask.get(i).and_then(|row| row.to_vec1()).expect("a matrix in f64");
    f.tape.derivative(site).map_or_else(|| vec![1.0; f.tape.graph().site_node(site).extent.width], row)
}

/// `a ← a diag(m)`.
pub fn masked(mut a: Rows, m: &[f64]) -> Rows {
    a.iter_mut().for_each(|row| row.iter_mut().zip(m).for_each(|(x, m)| *x *= m));
    a
}

/// `a b`.
pub fn product(a: &Rows, b: &Rows) -> Rows {
    let columns = b.first().map_or(0, Vec::len);
    let row = |left: &Vec<f64>| {
        let mut sum = vec![0.0; columns];
        left.iter().zip(b).for_each(|(x, row)| dense::axpy(&mut sum, *x, row));
        sum
    };
    a.iter().map(row).collect()
}

/// f(A Aᵀ): f of its eigenvalues.
pub fn of_gram(a: &Rows, f: impl Fn(f64) -> f64) -> Rows {
    let mut gram: Vec<f64> = a.iter().flat_map(|left| a.iter().map(move |right| dot(left, right))).collect();
    dense::apply(&mut gram, a.len(), &mut Vec::new(), f);
    gram.chunks(a.len()).map(<[f64]>::to_vec).collect()
}

/// The gradient for the signals Aᵀ f(A Aᵀ) A δ_i, A = `a(site, i)`, example by example; δ itself at the last site. It is the mean of
/// ĝ at scope `example-layer` for guesses ε f(A Aᵀ)^{1/2} A of normal ε.
pub fn mean_through(f: &Fixture, a: impl Fn(usize, usize) -> Rows, function: impl Fn(f64) -> f64) -> Result<Vec<f64>> {
    let last = f.tape.graph().sites.len() - 1;
    gradient_of(f, |site, delta| {
        if site == last {
            return delta.copy();
        }
        let mut signal: Vec<f64> = Vec::with_capacity(delta.elem_count());
        for (i, delta) in delta.to_vec2::<f64>()?.into_iter().enumerate() {
            let a = a(site, i);
            let along: Rows = vec![a.iter().map(|row| dot(row, &delta)).collect()];
            signal.extend(product(&product(&along, &of_gram(&a, &function)), &a).remove(0));
        }
        Tensor::from_vec(signal, delta.shape(), delta.device())
    })
}

/// W_{l+depth} D … W_{l+1} D_l of example i, from the logits where they are nearer.
pub fn way_down(f: &Fixture, site: usize, i: usize, depth: usize) -> Rows {
    let start = (site + depth).min(f.tape.graph().sites.len() - 1);
    let mut a = masked(weight_above(f, start - 1), &mask(f, start - 1, i));
    for below in (site..start - 1).rev() {
        a = masked(product(&a, &weight_above(f, below)), &mask(f, below, i));
    }
    a
}

/// diag(M_{l+1}) W_{l+1} diag(M_l) of example i.
pub fn both_masks(f: &Fixture, site: usize, i: usize) -> Rows {
    let above = mask(f, site + 1, i);
    let mut a = way_down(f, site, i, 1);
    a.iter_mut().zip(above).for_each(|(row, m)| row.iter_mut().for_each(|x| *x *= m));
    a
}

/// X_l diag(M_{l,i})/√B of a batch in rows, less the mean over the batch where `centred`.
pub fn activations(f: &Fixture, site: usize, i: usize, centred: bool) -> Rows {
    let mut x: Rows = f.tape.activation(site).to_vec2().expect("a matrix in f64");
    let (batch, width) = (x.len(), x[0].len());
    if centred {
        let mean: Vec<f64> = (0..width).map(|j| x.iter().map(|row| row[j]).sum::<f64>() / batch as f64).collect();
        x.iter_mut().for_each(|row| dense::axpy(row, -1.0, &mean));
    }
    let scaled: Vec<f64> = mask(f, site, i).iter().map(|m| m / (batch as f64).sqrt()).collect();
    masked(x, &scaled)
}
