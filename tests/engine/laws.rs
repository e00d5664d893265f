//! Statistical laws of the estimators, with fixed seeds and tolerances from the stated variance. Source of the laws:
//! Nesterov and Spokoiny 2017 for Gaussian directions; math for projections on random subspaces.

use crate::fixture::{Fixture, MLP, cosine, dot, flatten};
use crate::identities::settings;
use candle_core::{Result, Tensor};
use guesswork::estimate::{Directions, Estimator, GuessKind, Settings};
use guesswork::kernel;
use guesswork::measure::{bias::Probe, containment};
use guesswork::model::Extent;
use guesswork::record::{Key, Quantity};
use guesswork::workspace::{Combine, Scope};

fn fixture() -> Result<Fixture> {
    Fixture::new("mlp((hidden: [4]))", Extent::image(1, 2, 2), 3, 5, 77)
}

fn estimates(f: &Fixture, chosen: Settings, draws: u64, mut see: impl FnMut(Vec<f64>)) -> Result<()> {
    let mut estimator = Estimator::new(chosen, GuessKind::Weight, &f.tape, f.network.theta())?;
    let estimate = f.network.zeros_like()?;
    for draw in 0..draws {
        let v: Vec<Vec<Tensor>> =
            (0..chosen.guesses as u64).map(|k| f.weight_direction(100 + k, draw)).collect::<Result<_>>()?;
        estimator.derive(f.point(), Directions::Weight(&v))?;
        estimator.combine(f.point(), Directions::Weight(&v), &estimate)?;
        see(flatten(&estimate));
    }
    Ok(())
}

#[test]
fn weight_perturbation_is_unbiased_with_cosine_squared_one_over_n() -> Result<()> {
    let f = fixture()?;
    let g = f.gradient();
    let n = g.len() as f64;
    let draws = 20_000;
    let (mut mean, mut squared, mut absolute, mut length) = (vec![0.0; g.len()], 0.0, 0.0, 0.0);
    estimates(&f, settings(Scope::Batch, 1), draws, |estimate| {
        let c = cosine(&estimate, &g);
        squared += c * c;
        absolute += c.abs();
        length += dot(&estimate, &estimate);
        mean.iter_mut().zip(&estimate).for_each(|(sum, value)| *sum += value);
    })?;
    let m = draws as f64;
    // cos² ~ Beta(1/2, (n−1)/2): deviation √2/n; |cos| has deviation about 0.6/√n. Five standard errors each.
    assert!((squared / m * n - 1.0).abs() < 5.0 * 2f64.sqrt() / m.sqrt(), "n·E cos² = {}", squared / m * n);
    let floor = (2.0 / (std::f64::consts::PI * n)).sqrt();
    // The limit √(2/(πn)) is exact up to a factor 1 + 1/(4n).
    assert!((absolute / m / floor - 1.0).abs() < 1.0 / (4.0 * n) + 5.0 * 0.76 / m.sqrt(), "E|cos| {}", absolute / m);
    let squared_norm = dot(&g, &g);
    assert!((length / m / ((n + 2.0) * squared_norm) - 1.0).abs() < 0.06, "E‖ĝ‖² {}", length / m / squared_norm);
    // Each coordinate's variance is ‖g‖² + g_i² ≤ 2‖g‖²; Bonferroni over n coordinates at five deviations.
    for (sum, g) in mean.iter().zip(&g) {
        assert!((sum / m - g).abs() < 5.0 * (2.0 * squared_norm / m).sqrt(), "mean {} for {g}", sum / m);
    }
    Ok(())
}

#[test]
fn variance_falls_as_one_over_k() -> Result<()> {
    let f = fixture()?;
    let g = f.gradient();
    let mut points = Vec::new();
    for guesses in [1, 4, 16, 64] {
        let (mut total, draws) = (0.0, 400);
        estimates(&f, settings(Scope::Batch, guesses), draws, |estimate| {
            total += estimate.iter().zip(&g).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        })?;
        points.push(((guesses as f64).ln(), (total / draws as f64 / dot(&g, &g)).ln()));
    }
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>()
        / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>();
    assert!((slope + 1.0).abs() < 0.1, "slope {slope}");
    Ok(())
}

#[test]
fn a_span_of_k_directions_keeps_k_over_n_and_a_basis_keeps_all() -> Result<()> {
    let f = fixture()?;
    let g = f.gradient();
    let n = g.len();
    for guesses in [5, 14, n] {
        let chosen = Settings { combine: Combine::Span, ..settings(Scope::Batch, guesses) };
        let (mut squared, draws) = (0.0, if guesses == n { 2 } else { 400 });
        estimates(&f, chosen, draws, |estimate| {
            let c = cosine(&estimate, &g);
            // A projection: ⟨ĝ, g⟩ = ‖ĝ‖².
            assert!((dot(&estimate, &g) / dot(&estimate, &estimate) - 1.0).abs() < 1e-7);
            squared += c * c;
        })?;
        let expected = guesses as f64 / n as f64;
        let tolerance = if guesses == n { 1e-8 } else { 5.0 * (2.0 * expected / n as f64 / draws as f64).sqrt() };
        assert!(
            (squared / draws as f64 - expected).abs() < tolerance,
            "K = {guesses}: {} not {expected}",
            squared / draws as f64
        );
    }
    Ok(())
}

/// Mean and standard error of signal estimates of `draw`, flattened.
fn mean_of_signals(
    f: &Fixture,
    scope: Scope,
    draws: u64,
    mut draw: impl FnMut(u64) -> Result<Vec<Tensor>>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut estimator = Estimator::new(settings(scope, 1), GuessKind::Signal, &f.tape, f.network.theta())?;
    let estimate = f.network.zeros_like()?;
    let n = f.gradient().len();
    let (mut sum, mut square) = (vec![0.0; n], vec![0.0; n]);
    for step in 0..draws {
        let e = draw(step)?;
        estimator.derive(f.point(), Directions::Signal(&e))?;
        estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
        for ((sum, square), value) in sum.iter_mut().zip(&mut square).zip(flatten(&estimate)) {
            *sum += value;
            *square += value * value;
        }
    }
    let m = draws as f64;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / m).collect();
    let error = mean.iter().zip(&square).map(|(mean, square)| ((square / m - mean * mean) / m).sqrt()).collect();
    Ok((mean, error))
}

#[test]
fn activity_perturbation_is_unbiased_at_example_scopes_masked_or_not() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 5)?;
    for scope in [Scope::Example, Scope::ExampleLayer] {
        for masked in [false, true] {
            let (mean, error) = mean_of_signals(&f, scope, 4000, |step| {
                let e = f.signal_guesses(1, 9, step)?;
                for (site, e) in e.iter().enumerate() {
                    if let (true, Some(mask)) = (masked, f.tape.derivative(site)) {
                        kernel::hadamard_assign(e, mask)?;
                    }
                }
                Ok(e)
            })?;
            for ((mean, error), g) in mean.iter().zip(&error).zip(&f.gradient()) {
                assert!((mean - g).abs() <= 5.5 * error + 1e-12, "{scope:?} masked {masked}: {mean} ± {error} for {g}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_smooth_derivative_mask_biases_by_its_square() -> Result<()> {
    let f = Fixture::new(crate::fixture::TANH, Extent::image(1, 2, 3), 3, 6, 6)?;
    let (mean, error) = mean_of_signals(&f, Scope::ExampleLayer, 4000, |step| {
        let e = f.signal_guesses(1, 19, step)?;
        for (site, e) in e.iter().enumerate() {
            if let Some(mask) = f.tape.derivative(site) {
                kernel::hadamard_assign(e, mask)?;
            }
        }
        Ok(e)
    })?;
    // E[ĝ_l] = (δ_l ⊙ M_l²)ᵀ X̃.
    let expected = f.network.zeros_like()?;
    for site in 0..f.tape.graph().sites.len() {
        let delta = f.tape.signal(site).expect("an adjoint pass was made").copy()?;
        if let Some(mask) = f.tape.derivative(site) {
            kernel::hadamard_assign(&delta, mask)?;
            kernel::hadamard_assign(&delta, mask)?;
        }
        let node = f.tape.graph().site_node(site);
        let range = node.first_parameter..node.first_parameter + node.parameters;
        f.tape.adjoint_parameters(f.network.theta(), site, 1.0, &delta, 0.0, &expected[range])?;
    }
    for ((mean, error), g) in mean.iter().zip(&error).zip(&flatten(&expected)) {
        assert!((mean - g).abs() <= 5.5 * error + 1e-12, "{mean} ± {error} for {g}");
    }
    Ok(())
}

#[test]
fn activity_perturbation_has_the_stated_variance() -> Result<()> {
    // Example-layer scope: Σ_i (n_l + 1)‖δ_{l,i}‖²‖x̃_{l-1,i}‖², bias included in x̃.
    let f = Fixture::new("mlp((hidden: [6]))", Extent::image(1, 2, 2), 3, 4, 8)?;
    let draws = 6000;
    let (_, error) = mean_of_signals(&f, Scope::ExampleLayer, draws, |step| f.signal_guesses(1, 29, step))?;
    let mut start = 0;
    for site in 0..f.tape.graph().sites.len() {
        let node = f.tape.graph().site_node(site);
        let width = node.extent.width;
        let count: usize = f.gradient[node.first_parameter..node.first_parameter + node.parameters]
            .iter()
            .map(Tensor::elem_count)
            .sum();
        let measured: f64 = error[start..start + count].iter().map(|error| error * error * draws as f64).sum();
        start += count;
        let delta = flatten(&[f.tape.signal(site).expect("an adjoint pass was made").clone()]);
        let x = if site == 0 { f.data.clone() } else { f.tape.activation(site - 1).clone() };
        let (batch, inputs) = x.dims2()?;
        let x = flatten(&[x]);
        let expected: f64 = (0..batch)
            .map(|i| {
                let d = &delta[i * width..(i + 1) * width];
                let x = &x[i * inputs..(i + 1) * inputs];
                (width as f64 + 1.0) * dot(d, d) * (dot(x, x) + 1.0)
            })
            .sum();
        assert!((measured / expected - 1.0).abs() < 0.08, "site {site}: {measured} not {expected}");
    }
    Ok(())
}

#[test]
fn jacobian_transpose_of_a_linear_network_is_biased_as_stated() -> Result<()> {
    // Example-layer: E[ĝ_l] = T_lᵀT_l g_l. Example: E[ĝ_l] = (δ_L A T_l)ᵀX̃ with A = Σ_m T_m T_mᵀ.
    let f = Fixture::new("mlp((hidden: [5, 4], activation: identity))", Extent::image(1, 2, 3), 3, 6, 12)?;
    let sites = f.tape.graph().sites.len();
    let theta = f.network.theta();
    let carry = |top: &Tensor| -> Result<Vec<Tensor>> {
        let mut e: Vec<Tensor> =
            (0..sites).map(|site| f.tape.pre_activation(site).zeros_like()).collect::<Result<_>>()?;
        kernel::copy(&e[sites - 1], top)?;
        for site in (0..sites - 1).rev() {
            let (below, above) = e.split_at_mut(site + 1);
            f.tape.pull_back(theta, site, &[&above[0]], 1, &below[site])?;
        }
        Ok(e)
    };
    // T_l as a C × n_l matrix, from the last layer down.
    let mut t: Vec<Tensor> = vec![Tensor::eye(3, candle_core::DType::F64, f.data.device())?];
    for site in (0..sites - 1).rev() {
        let weight = &theta[f.tape.graph().site_node(site + 1).first_parameter];
        t.insert(0, t[0].matmul(weight)?);
    }
    let mut a = t[0].matmul(&t[0].t()?)?;
    for t in &t[1..] {
        a = (a + t.matmul(&t.t()?)?)?;
    }
    for scope in [Scope::Example, Scope::ExampleLayer] {
        let (mean, error) = mean_of_signals(&f, scope, 6000, |step| {
            let top = f.signal_guesses(1, 39, step)?;
            carry(&top[sites - 1])
        })?;
        let expected = f.network.zeros_like()?;
        for (site, t) in t.iter().enumerate() {
            let signal = match scope {
                Scope::Example => f.delta().matmul(&a)?.matmul(t)?,
                _ => f.tape.signal(site).expect("an adjoint pass was made").matmul(&t.t()?.matmul(t)?)?,
            };
            let node = f.tape.graph().site_node(site);
            let range = node.first_parameter..node.first_parameter + node.parameters;
            f.tape.adjoint_parameters(theta, site, 1.0, &signal.contiguous()?, 0.0, &expected[range])?;
        }
        for ((mean, error), g) in mean.iter().zip(&error).zip(&flatten(&expected)) {
            assert!((mean - g).abs() <= 5.5 * error + 1e-12, "{scope:?}: {mean} ± {error} for {g}");
        }
    }
    Ok(())
}

/// The figures that a probe of `guesses` estimates finds, of the whole model.
fn probed(
    f: &Fixture,
    guesses: u64,
    fresh: impl FnMut(u64, &[Tensor]) -> Result<()>,
) -> Result<std::collections::BTreeMap<(Quantity, Option<u16>), f64>> {
    let mut values = Vec::new();
    Probe::new(f.network.theta())?.measure(f.network.graph(), &f.gradient, guesses, fresh, &mut values)?;
    Ok(values.into_iter().map(|(key, value)| ((key.quantity, key.site), value)).collect())
}

#[test]
fn a_probe_finds_weight_perturbation_unbiased_with_relative_variance_n_plus_one() -> Result<()> {
    let f = fixture()?;
    let (n, guesses) = (f.gradient().len() as f64, 4000);
    let mut estimator = Estimator::new(settings(Scope::Batch, 1), GuessKind::Weight, &f.tape, f.network.theta())?;
    let found = probed(&f, guesses, |number, estimate| {
        let v = vec![f.weight_direction(300, number)?];
        estimator.derive(f.point(), Directions::Weight(&v))?;
        estimator.combine(f.point(), Directions::Weight(&v), estimate)
    })?;
    let m = guesses as f64;
    // The covariance is ‖g‖²I + ggᵀ: the square of its trace norm sets the deviation of the unbiased bias².
    let deviation = (2.0 * (n + 3.0) / (m * (m - 1.0))).sqrt();
    let bias = found[&(Quantity::BiasSquared, None)];
    assert!(bias.abs() < 4.0 * deviation, "bias² {bias} ± {deviation}");
    // ‖ĝ‖² = d²‖V‖² with d ~ N(0, ‖g‖²) along g: moments of a normal and of χ² with n − 1 degrees.
    let fourth = 105.0 + 30.0 * (n - 1.0) + 3.0 * ((n - 1.0).powi(2) + 2.0 * (n - 1.0));
    let error = ((fourth - (n + 2.0).powi(2)) / m).sqrt();
    let variance = found[&(Quantity::Variance, None)];
    assert!((variance - (n + 1.0)).abs() < 4.0 * error, "variance {variance} for {} ± {error}", n + 1.0);
    let fit = found[&(Quantity::ScalarFit, None)];
    assert!((fit - 1.0).abs() < 4.0 * (2.0 / m).sqrt(), "scalar fit {fit}");
    // Sites add up: weighted by their ‖g_l‖².
    let sites = 0..f.network.graph().sites.len() as u16;
    assert!(sites.into_iter().all(|site| found.contains_key(&(Quantity::BiasSquared, Some(site)))));
    Ok(())
}

#[test]
fn a_probe_finds_the_bias_and_the_variance_that_were_put_in() -> Result<()> {
    let f = fixture()?;
    let g = f.gradient();
    let (n, guesses, noise) = (g.len() as f64, 2000, 0.1 * dot(&g, &g).sqrt());
    let found = probed(&f, guesses, |number, estimate| {
        for ((into, v), g) in estimate.iter().zip(f.weight_direction(301, number)?).zip(&f.gradient) {
            kernel::copy(into, g)?;
            kernel::scale(into, 0.5)?;
            kernel::axpy(into, noise, &v)?;
        }
        Ok(())
    })?;
    // ĝ = g/2 + 0.1‖g‖V: bias² ¼, variance 0.01 n, fit ½; the deviations are those of means of M normals and of a χ².
    let m = guesses as f64;
    let bias = found[&(Quantity::BiasSquared, None)];
    assert!((bias - 0.25).abs() < 4.0 * (0.1 / m.sqrt() + 0.01 * (2.0 * n).sqrt() / m), "bias² {bias}");
    let variance = found[&(Quantity::Variance, None)];
    assert!((variance / (0.01 * n) - 1.0).abs() < 4.0 * (2.0 / (n * m)).sqrt(), "variance {variance}");
    assert!((found[&(Quantity::ScalarFit, None)] - 0.5).abs() < 4.0 * 0.1 / m.sqrt());
    Ok(())
}

#[test]
fn true_signals_lie_in_the_masked_rows_of_the_next_weight() -> Result<()> {
    let f = Fixture::new("mlp((hidden: [9, 7]))", Extent::image(1, 3, 3), 3, 6, 91)?;
    let mut values = Vec::new();
    containment::measure(&f.network, &f.tape, &mut values)?;
    let of = |quantity, site: usize| {
        let key = Key::site(quantity, site);
        values.iter().find(|(other, _)| *other == key).map(|(_, value)| *value)
    };
    for site in 0..2 {
        let held = of(Quantity::WeightContainment, site).expect("a dense layer reads this site");
        assert!((held - 1.0).abs() < 1e-9, "site {site}: {held}");
        let random = of(Quantity::WeightContainmentRandom, site).expect("measured together");
        assert!(random > 0.0 && random <= 1.0, "site {site}: {random}");
    }
    // Nothing reads the logits; six activations of three classes span all of them.
    assert_eq!(of(Quantity::WeightContainment, 2), None);
    let held = of(Quantity::ActivationContainment, 2).expect("measured at every site");
    assert!((held - 1.0).abs() < 1e-9, "logits: {held}");
    Ok(())
}

#[test]
fn a_random_span_holds_its_rank_over_n_of_a_signal() -> Result<()> {
    let (rank, n, draws) = (3, 12, 400);
    let (mut sum, device) = (0.0, candle_core::Device::Cpu);
    for draw in 0..draws {
        let span = Tensor::zeros((rank, n), candle_core::DType::F64, &device)?;
        kernel::fill_draws(&span, kernel::Draw::Normal, 1.0, crate::fixture::key(401, 0, 0, draw))?;
        let signal = Tensor::zeros((1, n), candle_core::DType::F64, &device)?;
        kernel::fill_draws(&signal, kernel::Draw::Normal, 1.0, crate::fixture::key(402, 0, 0, draw))?;
        let found = containment::share(&signal, &span, n)?.expect("a signal");
        assert!((found.random - rank as f64 / n as f64).abs() < 1e-12);
        sum += found.contained;
    }
    // Beta(r/2, (n − r)/2): variance 2r(n − r)/(n²(n + 2)).
    let (r, n) = (rank as f64, n as f64);
    let error = (2.0 * r * (n - r) / (n * n * (n + 2.0)) / draws as f64).sqrt();
    assert!((sum / draws as f64 - r / n).abs() < 4.0 * error, "{} for {}", sum / draws as f64, r / n);
    Ok(())
}
