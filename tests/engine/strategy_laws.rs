//! Laws of the shipped strategies through their libraries and the host's estimator: mean and length of the estimate over many
//! draws, where a closed form exists. Fixed seeds; tolerances are standard errors of the very draws.

use crate::fixture::{Fixture, MLP, TANH, dot, flatten};
use crate::proposer::Proposer;
use crate::sampled::{found, gather, gradient_of, renewed, watched};
use crate::support::assert_close;
use candle_core::{Result, Tensor};
use guesswork::estimate::{Directions, Point, Settings};
use guesswork::kernel::{self, Draw, DrawKey};
use guesswork::model::Extent;
use guesswork::objective::Loss;
use guesswork::workspace::{LossesSpec, OutputSignal, ParamValue, ScalarSource, Scope};

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

/// E[ĝ] = g; E‖ĝ‖² = (n + 2)‖g‖² with normal directions, and n‖g‖² with those of ±1, whose ‖V‖² = n always.
#[test]
fn directions_in_weight_space_are_unbiased_and_as_long_as_their_numbers_say() -> Result<()> {
    let f = Fixture::new("mlp((hidden: [4]))", Extent::image(1, 2, 2), 3, 5, 75)?;
    let n = f.gradient().len() as f64;
    for (strategy, factor) in [("spsa", n), ("weight-perturbation", n + 2.0), ("mezo", n + 2.0)] {
        let found = found(&f, strategy, &[], Settings::plain(Scope::Batch), (0, 20_000));
        found.assert_mean(&f.gradient(), strategy);
        let expected = factor * dot(&f.gradient(), &f.gradient());
        let (length, error) = (found.length, found.length_error);
        assert!((length - expected).abs() < 5.0 * error, "{strategy}: {length} ± {error} for {expected}");
    }
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
/// al. on greedy local losses, with heads of their own for patches and groups, or with copies of the blocks' losses.
#[test]
fn activity_perturbation_is_unbiased_on_local_losses() -> Result<()> {
    let unmasked = [("mask", ParamValue::Text("none".to_owned()))];
    let own = [(true, Scope::Example), (true, Scope::ExampleLayer), (false, Scope::Example)].map(|case| (false, case));
    let copied = [Scope::Example, Scope::ExampleLayer].map(|scope| (true, (true, scope)));
    for (aggregate, (greedy, scope)) in own.into_iter().chain(copied) {
        let losses = LossesSpec::Local { greedy, patches: true, groups: 2, aggregate };
        let model = "local_mixer((patch: 2, width: 4, groups: 2, blocks: 2, activation: tanh))";
        let f = Fixture::with(model, losses, Extent::image(1, 4, 4), 2, 3, 79)?;
        let output = if aggregate { OutputSignal::Exact } else { OutputSignal::Guess };
        let settings = Settings { output, ..Settings::plain(scope) };
        let found = found(&f, "activity-perturbation", &unmasked, settings, (0, 4000));
        found.assert_mean(&f.gradient(), "local losses");
    }
    Ok(())
}

/// Learned feedback at a rate of 1 has seen one movement: its next guess is ((p − y) B_l) ⊙ M_l with B_l = (1/B) Σ_i ẋ_{L,i} P_{l,i}ᵀ, where
/// ẋ_L comes from the signals of every class, Σ_l ⟨∂S_{L,i,c}/∂X_l, P_{l,i}⟩. On a chain, where ∂S_{L,c}/∂X_l is δ_{l+1} W_{l+1}.
#[test]
fn learned_feedback_is_what_the_logits_did_when_the_activations_moved() -> Result<()> {
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 4, 61)?;
    let (batch, classes, last) = (4, 3, f.tape.graph().sites.len() - 1);
    let error = (f.delta() * batch as f64)?;
    let params = [("rate", ParamValue::Float(1.0))];
    let settings = Settings { source: ScalarSource::None, ..Settings::plain(Scope::ExampleLayer) };
    let mut proposer = Proposer::new("learned-feedback", &params, settings, &f.network, &f.tape);
    proposer.set_error(error.clone());
    let estimator = proposer.estimator(&f.tape, &f.network);
    for step in 0..2 {
        proposer.propose(&f.network, &f.tape, &f.data, step, &estimator);
    }
    let movement = |site: usize| {
        let moved = f.tape.activation(site).zeros_like()?;
        let key = DrawKey { seed: 3, instance: 0, step: 0, site: site as u32, guess: 0, draw: 1 };
        kernel::fill_draws(&moved, Draw::Normal, 1.0, key).map(|()| moved)
    };
    // ẋ_L, class by class.
    let mut seen = vec![Tensor::zeros((batch, 1), f.data.dtype(), f.data.device())?; classes];
    for (class, seen) in seen.iter_mut().enumerate() {
        let mut ones = vec![0.0; classes];
        ones[class] = 1.0;
        let mut above = Tensor::new(ones, f.data.device())?.broadcast_as((batch, classes))?.contiguous()?;
        for site in (0..last).rev() {
            let weight = f.tape.graph().site_node(site + 1).first_parameter;
            let derivative = above.matmul(&f.network.theta()[weight])?;
            *seen = (&*seen + (&derivative * movement(site)?)?.sum_keepdim(1)?)?;
            above = (derivative * f.tape.derivative(site).expect("an activation"))?;
        }
    }
    let seen = Tensor::cat(&seen, 1)?;
    let Directions::Signal(guesses) = proposer.directions() else { panic!("signals") };
    for (site, guess) in guesses.iter().enumerate().take(last) {
        let b = (seen.t()?.matmul(&movement(site)?)? / batch as f64)?;
        let expected = (error.matmul(&b)? * f.tape.derivative(site).expect("an activation"))?;
        assert_close("learned feedback", guess, &expected, 1e-12);
    }
    assert_close("at the logits", &guesses[last], &error, 0.0);
    Ok(())
}

/// The signals of `top` carried down through weights and masks, site by site.
fn carried(f: &Fixture, top: Tensor) -> Result<Vec<Tensor>> {
    let last = f.tape.graph().sites.len() - 1;
    let mut signals = vec![top];
    for site in (0..last).rev() {
        let below = f.tape.pre_activation(site).zeros_like()?;
        f.tape.pull_back(f.network.theta(), site, &[&signals[0]], 1, &below)?;
        signals.insert(0, below);
    }
    Ok(signals)
}

/// The guess is one of C: E[ĝ] is that of the signals Σ_c π_{i,c} d_{i,c} E_{i,c}, π what the class is drawn from and d the scalars of
/// class c, which are ⟨δ_{l,i}, E_{l,i,c}⟩ at scope `example-layer` and their sum over the layers at scope `example`.
#[test]
fn label_guess_has_the_mean_over_its_classes() -> Result<()> {
    let (classes, batch) = (3, 6);
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), classes, batch, 86)?;
    let p = f.tape.logits().zeros_like()?;
    kernel::softmax(&p, f.tape.logits())?;
    let one_hot = |class: usize| {
        let row: Vec<f64> = (0..classes).map(|c| f64::from(u8::from(c == class))).collect();
        Tensor::from_vec(row, (1, classes), f.data.device())?.broadcast_as((batch, classes))?.contiguous()
    };
    let guesses: Vec<Vec<Tensor>> = (0..classes).map(|c| carried(&f, (&p - one_hot(c)?)?)).collect::<Result<_>>()?;
    // The scalars of class c at a site, B × 1.
    let inner = |c: usize, site: usize| {
        (f.tape.signal(site).expect("an adjoint pass was made") * &guesses[c][site])?.sum_keepdim(1)
    };
    for (word, scope) in
        [("softmax", Scope::ExampleLayer), ("softmax", Scope::Example), ("uniform", Scope::ExampleLayer)]
    {
        let expected = gradient_of(&f, |site, delta| {
            let mut sum = delta.zeros_like()?;
            for (c, guess) in guesses.iter().enumerate() {
                let chance = match word {
                    "softmax" => p.narrow(1, c, 1)?,
                    _ => Tensor::full(1.0 / classes as f64, (batch, 1), f.data.device())?,
                };
                let mut d = inner(c, site)?;
                if scope == Scope::Example {
                    for other in (0..guess.len()).filter(|&other| other != site) {
                        d = (d + inner(c, other)?)?;
                    }
                }
                sum = (sum + guess[site].broadcast_mul(&(d * chance)?)?)?;
            }
            Ok(sum)
        })?;
        let class = [("class", ParamValue::Text(word.to_owned()))];
        let found = found(&f, "label-guess", &class, Settings::plain(scope), (0, 6000));
        found.assert_mean(&expected, &format!("label-guess {word} {scope:?}"));
    }
    Ok(())
}

/// Over the draws of the matrices, at scope `example-layer`: E[ĝ_l] is that of the signals (2/n_l) v_{l+1,i} (δ_{l,i} ⊙ M_{l,i}²), where
/// v_{l,i} = E‖E_{l,i}‖² is ‖p_i − y_i‖² at the logits and (2/n_l) v_{l+1,i} Σ_j M_{l,i,j}² below. Direct feedback has v_L at every layer.
/// At the logits nothing is drawn: ĝ_L = Σ_i ‖p_i − y_i‖² δ_{L,i} x_{L-1,i}ᵀ.
#[test]
fn random_feedback_has_the_mean_over_its_matrices() -> Result<()> {
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 6, 87)?;
    let last = f.tape.graph().sites.len() - 1;
    let error = (f.delta() * f.tape.batch() as f64)?;
    let top = error.sqr()?.sum_keepdim(1)?;
    for strategy in ["feedback-alignment", "direct-feedback"] {
        let mut above = vec![top.clone(); last + 1];
        for site in (1..last).rev().filter(|_| strategy == "feedback-alignment") {
            let m = f.tape.derivative(site).expect("an activation follows");
            let share = (m.sqr()?.sum_keepdim(1)? * (2.0 / m.dim(1)? as f64))?;
            above[site - 1] = (&above[site] * share)?;
        }
        let expected = gradient_of(&f, |site, delta| match f.tape.derivative(site) {
            None => delta.broadcast_mul(&top),
            Some(m) => (delta * m.sqr()?)?.broadcast_mul(&(&above[site] * (2.0 / m.dim(1)? as f64))?),
        })?;
        // Products of draws of two layers have long tails.
        let found = renewed(&f, 8000, || {
            let settings = Settings::plain(Scope::ExampleLayer);
            let mut proposer = Proposer::new(strategy, &[], settings, &f.network, &f.tape);
            proposer.set_error(error.clone());
            proposer
        });
        found.assert_mean(&expected, strategy);
    }
    Ok(())
}

/// Noise at every unit is unbiased with the exact scalars, and with those of two losses up to O(σ²).
#[test]
fn the_likelihood_ratio_is_unbiased() -> Result<()> {
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 6, 88)?;
    for (source, scope) in [
        (ScalarSource::Tangent, Scope::Example),
        (ScalarSource::Tangent, Scope::ExampleLayer),
        (ScalarSource::Central(1e-4), Scope::Example),
    ] {
        let settings = Settings { source, ..Settings::plain(scope) };
        let found = found(&f, "likelihood-ratio", &[], settings, (0, 4000));
        found.assert_mean(&f.gradient(), &format!("likelihood-ratio {source:?} {scope:?}"));
    }
    Ok(())
}

/// Of a quadratic loss the central difference is the derivative whatever h: E[ĝ] = g and E‖ĝ‖² = (n + 2)‖g‖² exactly, with one scalar a
/// batch.
#[test]
fn mezo_is_unbiased_for_a_quadratic_at_any_distance() -> Result<()> {
    let f = Fixture::new("mlp((hidden: []))", Extent::image(1, 2, 2), 3, 5, 89)?;
    let (loss, theta) = (Loss::MeanSquaredError, f.network.theta());
    let (delta, g) = (f.delta().zeros_like()?, f.network.zeros_like()?);
    loss.evaluate(f.tape.logits(), &f.labels, Some(&delta))?;
    let deltas = [delta];
    f.tape.adjoint(theta, &deltas, Some(&g))?;
    let (g, point) = (flatten(&g), Point { loss, deltas: &deltas, ..f.point() });
    let settings = Settings { source: ScalarSource::Central(0.5), ..Settings::plain(Scope::Batch) };
    let mut proposer = Proposer::new("mezo", &[], settings, &f.network, &f.tape);
    let mut estimator = proposer.estimator(&f.tape, &f.network);
    let found = gather(&f, 20_000, |number, estimate| {
        proposer.propose(&f.network, &f.tape, &f.data, number, &estimator);
        proposer.estimate(point, &mut estimator, estimate);
        if number < 20 {
            // ⟨ĝ, g⟩ = d².
            let (d, inner) = (estimator.scalars().values[0], dot(&flatten(estimate), &g));
            assert!((inner / (d * d) - 1.0).abs() < 1e-9, "step {number}: ⟨ĝ, g⟩ = {inner} for d = {d}");
        }
    });
    found.assert_mean(&g, "mezo");
    let expected = (g.len() as f64 + 2.0) * dot(&g, &g);
    assert!((found.length - expected).abs() < 5.0 * found.length_error, "{} for {expected}", found.length);
    Ok(())
}
