//! Exact identities in f64: at every scope and on every architecture the forward mode gives the adjoint's numbers.

use crate::fixture::{CONV, Fixture, MIXER, MLP, TANH, dot, flatten};
use candle_core::{DType, Result, Tensor};
use guesswork::estimate::cost::{Injected, injection};
use guesswork::estimate::{Directions, Estimator, GuessKind, Settings};
use guesswork::model::Extent;
use guesswork::workspace::{Combine, GuessScaling, Normalise, OutputSignal, ScalarSource, Scope};

/// Wide enough for the Gram identity at the second layer, too narrow for it at the first.
const WIDE: &str = "mlp((hidden: [40, 30]))";

#[test]
fn the_models_here_take_both_ways_to_the_tangent_of_a_weight_direction() {
    let f = Fixture::new(WIDE, Extent::image(1, 2, 3), 3, 6, 40).unwrap();
    let way = |site| injection(f.tape.graph(), site, f.tape.batch(), 1);
    assert!(matches!(way(0), Injected::Formed(_)), "{:?}", way(0));
    // r(r + 1)m + 2r²n with r = 6 rows, m = 40 inputs, n = 30 outputs.
    assert_eq!(way(1), Injected::Gram(6 * 7 * 40 + 2 * 36 * 30));
}

const SCOPES: [Scope; 4] = [Scope::Batch, Scope::Layer, Scope::Example, Scope::ExampleLayer];

fn models() -> Vec<(&'static str, Fixture)> {
    let flat = Extent::image(1, 2, 3);
    let image = Extent::image(2, 8, 8);
    [(MLP, flat), (WIDE, flat), (TANH, flat), (CONV, image), (MIXER, Extent::image(2, 4, 4))]
        .into_iter()
        .map(|(model, extent)| (model, Fixture::new(model, extent, 3, 6, 40).expect("the fixture builds")))
        .collect()
}

pub fn settings(scope: Scope, guesses: usize) -> Settings {
    Settings {
        at_once: None,
        scope,
        guesses,
        combine: Combine::Mean,
        scaling: GuessScaling::Raw,
        normalise: Normalise::None,
        clip: None,
        source: ScalarSource::Tangent,
        output: OutputSignal::Guess,
    }
}

fn close(a: f64, b: f64, scale: f64, what: &str) {
    assert!((a - b).abs() <= 1e-10 * scale.max(a.abs()).max(b.abs()), "{what}: {a} is not {b}");
}

/// V_l = A_l(E_l): the weight direction of a signal guess.
fn weight_directions(f: &Fixture, e: &[Tensor], k: usize) -> Result<Vec<Tensor>> {
    let v = f.network.zeros_like()?;
    for (site, e) in e.iter().enumerate() {
        let node = f.tape.graph().site_node(site);
        let rows = f.tape.pre_activation(site).dim(0)?;
        let range = node.first_parameter..node.first_parameter + node.parameters;
        let block = e.narrow(0, k * rows, rows)?;
        f.tape.adjoint_parameters(f.network.theta(), site, 1.0, &block, 0.0, &v[range])?;
    }
    Ok(v)
}

fn site_range(f: &Fixture, site: usize) -> std::ops::Range<usize> {
    let node = f.tape.graph().site_node(site);
    node.first_parameter..node.first_parameter + node.parameters
}

#[test]
fn scalars_of_signal_guesses_equal_the_adjoint_at_every_scope_on_every_architecture() -> Result<()> {
    for (name, f) in models() {
        let guesses = 2;
        let e = f.signal_guesses(guesses, 3, 0)?;
        let batch = f.tape.batch();
        for scope in SCOPES {
            let settings = settings(scope, guesses);
            let mut estimator = Estimator::new(settings, GuessKind::Signal, &f.tape, f.network.theta())?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            for k in 0..guesses {
                let v = weight_directions(&f, &e, k)?;
                let mut whole = 0.0;
                let (mut each, mut signal_form) = (vec![0.0; batch], 0.0);
                for (site, signal) in e.iter().enumerate() {
                    let range = site_range(&f, site);
                    let expected = dot(&flatten(&v[range.clone()]), &flatten(&f.gradient[range]));
                    whole += expected;
                    let delta = f.tape.signal(site).expect("an adjoint pass was made");
                    let rows = delta.dim(0)?;
                    let products = flatten(&[(delta * signal.narrow(0, k * rows, rows)?)?]);
                    let per = products.len() / batch;
                    let mine: Vec<f64> = products.chunks(per).map(|chunk| chunk.iter().sum()).collect();
                    each.iter_mut().zip(&mine).for_each(|(sum, value)| *sum += value);
                    match scope {
                        Scope::Layer => close(estimator.scalars().row(k, site)[0], expected, 1e-3, name),
                        Scope::ExampleLayer => {
                            for (d, expected) in estimator.scalars().row(k, site).iter().zip(&mine) {
                                close(*d, *expected, 1e-3, name);
                            }
                            signal_form += mine.iter().sum::<f64>();
                        }
                        _ => {}
                    }
                }
                match scope {
                    Scope::Batch => close(estimator.scalars().row(k, 0)[0], whole, 1e-3, name),
                    Scope::Example => {
                        for (d, expected) in estimator.scalars().row(k, 0).iter().zip(&each) {
                            close(*d, *expected, 1e-3, name);
                        }
                        // Σ_i d_i is d of the signal form, Σ_l ⟨δ_l, E_l⟩.
                        let sum: f64 = estimator.scalars().row(k, 0).iter().sum();
                        close(sum, each.iter().sum(), 1e-3, name);
                    }
                    Scope::ExampleLayer => close(signal_form, each.iter().sum(), 1e-3, name),
                    Scope::Layer => {}
                }
            }
        }
    }
    Ok(())
}

#[test]
fn scalars_of_weight_directions_equal_the_adjoint() -> Result<()> {
    for (name, f) in models() {
        let v = vec![f.weight_direction(5, 0)?, f.weight_direction(5, 1)?];
        for scope in [Scope::Batch, Scope::Layer] {
            let mut estimator = Estimator::new(settings(scope, 2), GuessKind::Weight, &f.tape, f.network.theta())?;
            estimator.derive(f.point(), Directions::Weight(&v))?;
            for (k, v) in v.iter().enumerate() {
                for site in 0..f.tape.graph().sites.len() {
                    let range = site_range(&f, site);
                    let expected = dot(&flatten(&v[range.clone()]), &flatten(&f.gradient[range]));
                    if scope == Scope::Layer {
                        close(estimator.scalars().row(k, site)[0], expected, 1e-3, name);
                    }
                }
                if scope == Scope::Batch {
                    let expected = dot(&flatten(v), &f.gradient());
                    close(estimator.scalars().row(k, 0)[0], expected, 1e-3, name);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn estimates_are_the_scalars_times_the_directions() -> Result<()> {
    for (name, f) in models() {
        let guesses = 3;
        let e = f.signal_guesses(guesses, 11, 0)?;
        for scope in SCOPES {
            let mut estimator =
                Estimator::new(settings(scope, guesses), GuessKind::Signal, &f.tape, f.network.theta())?;
            let estimate = f.network.zeros_like()?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
            for (site, e) in e.iter().enumerate() {
                let (rows, width) = f.tape.pre_activation(site).dims2()?;
                let mut expected = vec![0.0; flatten(&estimate[site_range(&f, site)]).len()];
                for k in 0..guesses {
                    let d = estimator.scalars().row(k, site);
                    let block = e.narrow(0, k * rows, rows)?;
                    let factors: Vec<f64> = (0..rows).map(|row| d[row * d.len() / rows]).collect();
                    let scaled = block.broadcast_mul(&Tensor::from_vec(factors, (rows, 1), block.device())?)?;
                    let v: Vec<Tensor> =
                        f.gradient[site_range(&f, site)].iter().map(Tensor::zeros_like).collect::<Result<_>>()?;
                    assert_eq!(scaled.dims2()?, (rows, width));
                    f.tape.adjoint_parameters(f.network.theta(), site, 1.0, &scaled.contiguous()?, 0.0, &v)?;
                    expected.iter_mut().zip(flatten(&v)).for_each(|(sum, value)| *sum += value / guesses as f64);
                }
                for (a, b) in flatten(&estimate[site_range(&f, site)]).iter().zip(&expected) {
                    close(*a, *b, 1e-2, name);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn differences_agree_with_the_tangent_to_their_order() -> Result<()> {
    // Smooth models only: a difference across a kink has no order.
    let conv = "conv((layers: [(channels: 3), (channels: 4, stride: 2, pool: average(2))], activation: tanh))";
    for (name, extent) in
        [(TANH, Extent::image(1, 2, 3)), (conv, Extent::image(2, 8, 8)), (MIXER, Extent::image(2, 4, 4))]
    {
        let f = Fixture::new(name, extent, 3, 6, 40)?;
        let e = f.signal_guesses(1, 13, 0)?;
        for scope in SCOPES {
            let exact = settings(scope, 1);
            let scalars = |source| -> Result<Vec<f64>> {
                let settings = Settings { source, ..exact };
                let mut estimator = Estimator::new(settings, GuessKind::Signal, &f.tape, f.network.theta())?;
                estimator.derive(f.point(), Directions::Signal(&e))?;
                Ok(estimator.scalars().values.clone())
            };
            let tangent = scalars(ScalarSource::Tangent)?;
            let scale = tangent.iter().fold(1e-3_f64, |most, d| most.max(d.abs()));
            let off = |source| -> Result<f64> {
                let pairs = scalars(source)?;
                Ok(pairs.iter().zip(&tangent).fold(0.0_f64, |most, (x, y)| most.max((x - y).abs())) / scale)
            };
            assert!(off(ScalarSource::Central(1e-5))? <= 1e-5, "{name} {scope:?}");
            // One-sided: the error is of the first order, ten times as large at ten times the step.
            let (near, far) = (off(ScalarSource::OneSided(1e-5))?, off(ScalarSource::OneSided(1e-4))?);
            assert!(
                near <= 0.1 && (near < 1e-8 || (8.0..12.5).contains(&(far / near))),
                "{name} {scope:?}: {near}, {far}"
            );
        }
    }
    Ok(())
}

/// Without a scalar the estimate is the mean of the guesses as they are: E_lᵀX̃/B, or V; and p − y at the logits is the gradient there.
#[test]
fn a_guess_without_a_scalar_is_the_estimate() -> Result<()> {
    for (name, f) in models() {
        let (e, batch) = (f.signal_guesses(2, 29, 0)?, f.tape.batch() as f64);
        let v = [weight_directions(&f, &e, 0)?, weight_directions(&f, &e, 1)?];
        let mean: Vec<f64> = flatten(&v[0]).iter().zip(&flatten(&v[1])).map(|(a, b)| (a + b) / 2.0).collect();
        for scope in SCOPES {
            let chosen = Settings { source: ScalarSource::None, ..settings(scope, 2) };
            let mut estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
            let estimate = f.network.zeros_like()?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
            for (a, b) in flatten(&estimate).iter().zip(&mean) {
                close(*a, b / batch, 1e-6, name);
            }
            if matches!(scope, Scope::Batch | Scope::Layer) {
                let mut estimator = Estimator::new(chosen, GuessKind::Weight, &f.tape, f.network.theta())?;
                estimator.derive(f.point(), Directions::Weight(&v))?;
                estimator.combine(f.point(), Directions::Weight(&v), &estimate)?;
                for (a, b) in flatten(&estimate).iter().zip(&mean) {
                    close(*a, *b, 1e-6, name);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn exact_output_gives_the_last_layer_its_gradient_and_leaves_the_sum() -> Result<()> {
    for (name, f) in models() {
        let e = f.signal_guesses(2, 17, 0)?;
        let last = e.len() - 1;
        for scope in SCOPES {
            let chosen = Settings { output: OutputSignal::Exact, ..settings(scope, 2) };
            let mut estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
            let estimate = f.network.zeros_like()?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
            let range = site_range(&f, last);
            for (a, b) in flatten(&estimate[range.clone()]).iter().zip(&flatten(&f.gradient[range])) {
                close(*a, *b, 1e-6, name);
            }
            if scope == Scope::Batch {
                let v = weight_directions(&f, &e, 0)?;
                let head = site_range(&f, last).start;
                let expected = dot(&flatten(&v[..head]), &flatten(&f.gradient[..head]));
                close(estimator.scalars().row(0, 0)[0], expected, 1e-3, name);
            }
        }
    }
    Ok(())
}

#[test]
fn a_spanning_set_of_guesses_gives_the_gradient() -> Result<()> {
    // Example-layer scope: n_l orthogonal rows span every example's signal, so the estimate is exact.
    for model in [MLP, TANH] {
        let f = Fixture::new(model, Extent::image(1, 2, 3), 3, 6, 21)?;
        let guesses = 5;
        let e = f.signal_guesses(guesses, 23, 0)?;
        let chosen = Settings { combine: Combine::Span, ..settings(Scope::ExampleLayer, guesses) };
        let mut estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
        let estimate = f.network.zeros_like()?;
        estimator.derive(f.point(), Directions::Signal(&e))?;
        estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
        assert!(estimator.dropped() > 0, "narrower layers have dependent guesses");
        for (a, b) in flatten(&estimate).iter().zip(&f.gradient()) {
            assert!((a - b).abs() < 1e-8, "{model}: {a} is not {b}");
        }
    }
    Ok(())
}

#[test]
fn unit_scaling_divides_by_the_squared_norm_of_what_shares_the_scalar() -> Result<()> {
    for (name, f) in models() {
        let e = f.signal_guesses(1, 31, 0)?;
        let v = weight_directions(&f, &e, 0)?;
        for scope in SCOPES {
            let chosen = Settings { scaling: GuessScaling::Unit, ..settings(scope, 1) };
            let mut estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
            let estimate = f.network.zeros_like()?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
            for site in 0..e.len() {
                let batch = f.tape.batch();
                for i in 0..estimator.scalars().row(0, site).len() {
                    let rows = |site: usize| {
                        let values = flatten(&e[site..=site]);
                        let per = values.len() / batch;
                        let part = values[i * per..(i + 1) * per].to_vec();
                        dot(&part, &part)
                    };
                    let weights = |range: std::ops::Range<usize>| dot(&flatten(&v[range.clone()]), &flatten(&v[range]));
                    let squared = match scope {
                        Scope::Batch => weights(0..v.len()),
                        Scope::Layer => weights(site_range(&f, site)),
                        Scope::Example => (0..e.len()).map(rows).sum(),
                        Scope::ExampleLayer => rows(site),
                    };
                    let d = estimator.scalars().row(0, site)[i];
                    close(estimator.coefficients().row(0, site)[i], d / squared, 1e-6, name);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_clip_bounds_what_an_example_adds_to_the_mean() -> Result<()> {
    for (name, f) in models() {
        let e = f.signal_guesses(1, 37, 0)?;
        for scope in SCOPES {
            let mut estimator = Estimator::new(settings(scope, 1), GuessKind::Signal, &f.tape, f.network.theta())?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            let plain = estimator.scalars().values.clone();
            // δ carries the mean's 1/B, so at example scopes a bound c acts on B·d_i.
            let examples =
                if matches!(scope, Scope::Example | Scope::ExampleLayer) { f.tape.batch() } else { 1 } as f64;
            let middle = plain.iter().map(|d| d.abs()).sum::<f64>() / plain.len() as f64;
            let chosen = Settings { clip: Some(examples * middle), ..settings(scope, 1) };
            let mut estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
            let estimate = f.network.zeros_like()?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
            assert_eq!(estimator.scalars().values, plain, "{name} {scope:?}: what is reported is not clipped");
            for (c, d) in estimator.coefficients().values.iter().zip(&plain) {
                close(*c, d.clamp(-middle, middle), 1e-6, name);
            }
            let bitten = estimator.coefficients().values.iter().zip(&plain).filter(|(c, d)| c.abs() < d.abs()).count();
            assert!(plain.len() == 1 || (bitten > 0 && bitten < plain.len()), "{name} {scope:?}: {bitten} are clipped");
        }
    }
    Ok(())
}

#[test]
fn rows_of_a_guess_are_normalised_as_the_settings_say() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    let guesses = 2;
    for (normalise, whole) in [(Normalise::None, None), (Normalise::Row, Some(false)), (Normalise::Batch, Some(true))] {
        let chosen = Settings { normalise, ..settings(Scope::ExampleLayer, guesses) };
        let estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
        for e in f.signal_guesses(guesses, 41, 0)? {
            let (rows, width) = e.dims2()?;
            guesswork::kernel::fill(&e.narrow(0, 1, 1)?, 0.0)?;
            let before = flatten(std::slice::from_ref(&e));
            estimator.normalise(&e)?;
            let after = flatten(std::slice::from_ref(&e));
            assert!(after[width..2 * width].iter().all(|value| *value == 0.0), "{normalise:?}: a zero row stays zero");
            let group = match whole {
                None => {
                    assert_eq!(after, before);
                    continue;
                }
                Some(false) => width,
                Some(true) => rows / guesses * width,
            };
            for (before, after) in before.chunks(group).zip(after.chunks(group)) {
                let length = dot(before, before);
                if length > 0.0 {
                    close(dot(after, after), group as f64, 1.0, "‖·‖² is the number of elements");
                    close(dot(before, after), (length * group as f64).sqrt(), 1.0, "the direction stays");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn guesses_of_the_smallest_numbers_are_normalised_too() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    for normalise in [Normalise::Row, Normalise::Batch] {
        let chosen = Settings { normalise, ..settings(Scope::ExampleLayer, 2) };
        let estimator = Estimator::new(chosen, GuessKind::Signal, &f.tape, f.network.theta())?;
        for e in f.signal_guesses(2, 41, 0)? {
            let (large, small) = (e.to_dtype(DType::F32)?, (e * 1e-41)?.to_dtype(DType::F32)?);
            estimator.normalise(&large)?;
            estimator.normalise(&small)?;
            let numbers = |guess: Tensor| Ok::<_, candle_core::Error>(flatten(&[guess.to_dtype(DType::F64)?]));
            for (large, small) in numbers(large)?.into_iter().zip(numbers(small)?) {
                // Numbers of this size have four digits.
                assert!((small - large).abs() < 1e-3, "{normalise:?}: {small} is not {large}");
            }
        }
    }
    Ok(())
}
