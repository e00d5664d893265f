//! Laws of the shipped strategies through their libraries and the host's estimator: mean and length of the estimate over many
//! draws, where a closed form exists. Fixed seeds; tolerances are standard errors of the very draws.

use crate::fixture::{Fixture, MLP, TANH, dot, flatten};
use crate::proposer::Proposer;
use candle_core::{Result, Tensor};
use guesswork::estimate::Settings;
use guesswork::kernel;
use guesswork::model::Extent;
use guesswork::workspace::{LossesSpec, ParamValue, ScalarSource, Scope};

type Params<'a> = &'a [(&'a str, ParamValue)];

/// Mean of ĝ, its standard errors, and the mean of ‖ĝ‖² with its own, over `draws` steps after `first`.
struct Found {
    mean: Vec<f64>,
    error: Vec<f64>,
    length: f64,
    length_error: f64,
}

fn found(f: &Fixture, strategy: &str, params: Params, settings: Settings, steps: (u64, u64)) -> Found {
    watched(f, Proposer::new(strategy, params, settings, &f.network, &f.tape), steps)
}

fn watched(f: &Fixture, mut proposer: Proposer, (first, draws): (u64, u64)) -> Found {
    let mut estimator = proposer.estimator(&f.tape, &f.network);
    let estimate = f.network.zeros_like().unwrap();
    let n = f.gradient().len();
    let (mut sum, mut square, mut length, mut fourth) = (vec![0.0; n], vec![0.0; n], 0.0, 0.0);
    for step in 0..first + draws {
        proposer.propose(&f.network, &f.tape, &f.data, step, &estimator);
        if step < first {
            continue;
        }
        proposer.estimate(f.point(), &mut estimator, &estimate);
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
    let error = mean.iter().zip(&square).map(|(mean, square)| ((square / m - mean * mean) / m).sqrt()).collect();
    let length = length / m;
    Found { mean, error, length, length_error: ((fourth / m - length * length) / m).sqrt() }
}

impl Found {
    fn assert_mean(&self, expected: &[f64], what: &str) {
        for (index, ((mean, error), expected)) in self.mean.iter().zip(&self.error).zip(expected).enumerate() {
            assert!(
                (mean - expected).abs() <= 5.5 * error + 1e-10,
                "{what}, element {index}: {mean} ± {error} for {expected}"
            );
        }
    }
}

/// Parameter-shaped: each site's gradient for the signal that `change` makes of the true one.
fn gradient_of(f: &Fixture, change: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<Vec<f64>> {
    let expected = f.network.zeros_like()?;
    for site in 0..f.tape.graph().sites.len() {
        let signal = change(site, f.tape.signal(site).expect("an adjoint pass was made"))?.contiguous()?;
        let node = f.tape.graph().site_node(site);
        let range = node.first_parameter..node.first_parameter + node.parameters;
        f.tape.adjoint_parameters(f.network.theta(), site, 1.0, &signal, 0.0, &expected[range])?;
    }
    Ok(flatten(&expected))
}

/// The guesses are isotropic in the span of the masked rows of the weight above, and the true signals lie there.
#[test]
fn whitened_and_orthogonal_transposes_are_unbiased_where_the_weight_transpose_is_not() -> Result<()> {
    for model in [MLP, TANH] {
        let f = Fixture::new(model, Extent::image(1, 2, 3), 3, 6, 71)?;
        let plain = Settings::plain(Scope::ExampleLayer);
        let sigma = [("sigma", ParamValue::Float(1e-9))];
        found(&f, "whitened", &sigma, plain, (0, 3000)).assert_mean(&f.gradient(), "whitened");
        let rounds = [("iterations", ParamValue::Int(2))];
        found(&f, "orthogonal-transpose", &rounds, plain, (0, 3000)).assert_mean(&f.gradient(), "orthogonal");
        let both = [("sigma", ParamValue::Float(1e-9)), ("mask", ParamValue::Text("both".to_owned()))];
        found(&f, "whitened", &both, plain, (0, 3000)).assert_mean(&f.gradient(), "whitened, both masks");
        let ridge = [("debias", ParamValue::Float(1e-9))];
        found(&f, "jacobian-transpose", &ridge, plain, (0, 3000)).assert_mean(&f.gradient(), "debiased");
        let biased = found(&f, "weight-transpose", &[], plain, (0, 3000));
        let far = biased.mean.iter().zip(&biased.error).zip(&f.gradient()).any(|((m, e), g)| (m - g).abs() > 20.0 * e);
        assert!(far, "the weight transpose is biased");
    }
    Ok(())
}

/// E[ĝ_l] = (δ_l D TᵀT D)ᵀ X̃ with T = (WWᵀ/σ₁²)^k W, example by example.
#[test]
fn self_sharpening_is_biased_by_its_covariance() -> Result<()> {
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 6, 72)?;
    let k = [("k", ParamValue::Int(1))];
    // The power iteration has settled after 40 steps.
    let found = found(&f, "self-sharpening", &k, Settings::plain(Scope::ExampleLayer), (40, 4000));
    let last = f.tape.graph().sites.len() - 1;
    let expected = gradient_of(&f, |site, delta| {
        if site == last {
            return delta.copy();
        }
        let w = &f.network.theta()[f.tape.graph().site_node(site + 1).first_parameter];
        let gram = w.matmul(&w.t()?)?;
        let largest = kernel::singular_values(w)?[0].powi(2);
        let t = (gram.matmul(w)? / largest)?;
        let mask = f.tape.derivative(site).expect("an activation follows");
        (delta * mask)?.matmul(&t.t()?.matmul(&t)?)? * mask
    })?;
    found.assert_mean(&expected, "self-sharpening");
    Ok(())
}

/// With a rank that spans the inputs nothing is lost, and the variance counts the directions there are: at scope `batch`
/// E[ĝ] = g and E‖ĝ‖² = (N + 2)‖g‖², N = Σ_l n_l (r_l + 1).
#[test]
fn activation_subspace_of_full_rank_is_unbiased_in_fewer_directions() -> Result<()> {
    let f = Fixture::new(TANH, Extent::image(1, 3, 4), 3, 3, 73)?;
    let params = [("rank", ParamValue::Int(6)), ("iterations", ParamValue::Int(12))];
    let found = found(&f, "activation-subspace", &params, Settings::plain(Scope::Batch), (0, 12_000));
    found.assert_mean(&f.gradient(), "activation-subspace");
    // Three examples: rank 3 of 12, 5 and 4 inputs; widths 5, 4 and 3.
    let n = (5 + 4 + 3) as f64 * (3.0 + 1.0);
    let expected = (n + 2.0) * dot(&f.gradient(), &f.gradient());
    assert!((found.length - expected).abs() < 5.0 * found.length_error, "{} for {expected}", found.length);
    Ok(())
}

/// A smaller rank keeps g_l A Aᵀ: here the part of the gradient along the first principal direction of each input.
#[test]
fn activation_subspace_of_small_rank_keeps_the_gradient_s_part_in_it() -> Result<()> {
    let mut f = Fixture::new("mlp((hidden: [5, 4], activation: identity))", Extent::image(1, 2, 3), 3, 8, 74)?;
    // One example far from the others: a first direction that subspace iteration finds to the last digit.
    kernel::scale(&f.data.narrow(0, 0, 1)?, 8.0)?;
    f.refresh()?;
    let params = [("rank", ParamValue::Int(1)), ("iterations", ParamValue::Int(64))];
    let found = found(&f, "activation-subspace", &params, Settings::plain(Scope::Layer), (0, 8000));
    let mut expected = Vec::new();
    for site in 0..f.tape.graph().sites.len() {
        let x = if site == 0 { f.data.clone() } else { f.tape.activation(site - 1).clone() };
        let (n, device) = (x.dim(1)?, x.device());
        let new = |rows, columns| Tensor::zeros((rows, columns), candle_core::DType::F64, device);
        let (u, s, v) = (new(8, 1)?, new(1, 1)?, new(n, 1)?);
        kernel::svd(&x, &u, &s, &v)?;
        let first = f.tape.graph().site_node(site).first_parameter;
        expected.push(f.gradient[first].matmul(&v)?.matmul(&v.t()?)?);
        expected.push(f.gradient[first + 1].clone());
    }
    found.assert_mean(&flatten(&expected), "activation-subspace of rank 1");
    Ok(())
}

/// E[ĝ] = g, and ‖V‖² = n always: E‖ĝ‖² = n‖g‖², two less than with normal directions.
#[test]
fn spsa_is_unbiased_and_its_directions_have_one_length() -> Result<()> {
    let f = Fixture::new("mlp((hidden: [4]))", Extent::image(1, 2, 2), 3, 5, 75)?;
    let found = found(&f, "spsa", &[], Settings::plain(Scope::Batch), (0, 20_000));
    found.assert_mean(&f.gradient(), "spsa");
    let expected = f.gradient().len() as f64 * dot(&f.gradient(), &f.gradient());
    assert!((found.length - expected).abs() < 5.0 * found.length_error, "{} for {expected}", found.length);
    Ok(())
}

/// What `source: central(h)` makes of these strategies tends to their exact scalars as h².
#[test]
fn two_losses_find_the_scalars_of_spsa_mezo_and_the_likelihood_ratio() -> Result<()> {
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 6, 76)?;
    let scopes = [("spsa", Scope::Batch), ("mezo", Scope::Layer), ("likelihood-ratio", Scope::Example)];
    for (strategy, scope) in scopes {
        let exact = found(&f, strategy, &[], Settings::plain(scope), (0, 1)).mean;
        let mut distances = Vec::new();
        for h in [1e-2, 1e-3] {
            let settings = Settings { source: ScalarSource::Central(h), ..Settings::plain(scope) };
            let near = found(&f, strategy, &[], settings, (0, 1)).mean;
            let difference: Vec<f64> = near.iter().zip(&exact).map(|(a, b)| a - b).collect();
            distances.push((dot(&difference, &difference) / dot(&exact, &exact)).sqrt());
        }
        assert!(distances[1] < 1e-4, "{strategy}: {distances:?}");
        let order = distances[0] / distances[1];
        assert!((order / 100.0 - 1.0).abs() < 0.05, "{strategy}: {distances:?}");
    }
    Ok(())
}

/// E[ĝ] = C g with C = β² N m mᵀ + (1 − β²) I, m the direction of the last estimate.
#[test]
fn momentum_finds_the_last_estimate_s_part_of_the_gradient_again() -> Result<()> {
    let f = Fixture::new("mlp((hidden: [4]))", Extent::image(1, 2, 2), 3, 5, 77)?;
    let (g, beta) = (f.gradient(), 0.6);
    let n = g.len() as f64;
    let last = f.weight_direction(88, 0)?;
    for (last, g) in last.iter().zip(&f.gradient) {
        kernel::axpy(last, 20.0, g)?;
    }
    let m = flatten(&last);
    let size = dot(&m, &m);
    let params = [("beta", ParamValue::Float(beta))];
    let mut proposer = Proposer::new("momentum", &params, Settings::plain(Scope::Batch), &f.network, &f.tape);
    proposer.set_previous(last);
    let along = dot(&m, &g) / size;
    let expected: Vec<f64> =
        m.iter().zip(&g).map(|(m, g)| beta * beta * n * along * m + (1.0 - beta * beta) * g).collect();
    watched(&f, proposer, (0, 20_000)).assert_mean(&expected, "momentum");
    Ok(())
}

/// Noise in signals is unbiased for the local gradients, each block's scalars from its own losses: the forward gradients of Ren et
/// al. on greedy local losses.
#[test]
fn activity_perturbation_is_unbiased_on_local_losses() -> Result<()> {
    let unmasked = [("mask", ParamValue::Text("none".to_owned()))];
    for (greedy, scope) in [(true, Scope::Example), (true, Scope::ExampleLayer), (false, Scope::Example)] {
        let losses = LossesSpec::Local { greedy, patches: true, groups: 2 };
        let model = "local_mixer((patch: 2, width: 4, groups: 2, blocks: 2, activation: tanh))";
        let f = Fixture::with(model, losses, Extent::image(1, 4, 4), 2, 3, 79)?;
        let found = found(&f, "activity-perturbation", &unmasked, Settings::plain(scope), (0, 4000));
        found.assert_mean(&f.gradient(), "local losses");
    }
    Ok(())
}
