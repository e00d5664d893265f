//! Measurements against their definitions, computed here a second time from plain vectors.

use crate::fixture::{CONV, Fixture, MIXER, MLP, TANH, cosine, dot, flatten};
use crate::identities::settings;
use crate::support::random;
use candle_core::{DType, Device, Result, Tensor};
use guesswork::data::{Layout, Prepared, Split};
use guesswork::estimate::{Directions, Estimator, GuessKind};
use guesswork::kernel;
use guesswork::measure::evaluate::Evaluator;
use guesswork::measure::{Measurer, View};
use guesswork::model::{Extent, Tape};
use guesswork::objective::Loss;
use guesswork::record::{Key, Quantity};
use guesswork::workspace::{Measure, Scope};

fn models() -> Vec<Fixture> {
    let flat = Extent::image(1, 2, 3);
    [(MLP, flat), (TANH, flat), (CONV, Extent::image(2, 8, 8)), (MIXER, Extent::image(2, 4, 4))]
        .into_iter()
        .map(|(model, extent)| Fixture::new(model, extent, 3, 6, 40).expect("the fixture builds"))
        .collect()
}

/// Nothing is due but what `cadence` changes.
pub fn never() -> Measure {
    Measure {
        alignment: 0,
        examples: 0,
        one_step: 0,
        spectrum: 0,
        signal_spectrum: 0,
        bias: 0,
        containment: 0,
        hessian: 0,
        mask_density: 0,
        test: 0,
        train: 0,
        ..Measure::default()
    }
}

fn split(f: &Fixture) -> Split {
    let classes = flatten(std::slice::from_ref(&f.labels)).iter().map(|class| *class as u32).collect();
    let input = f.tape.graph().input;
    Split { x: f.data.clone(), labels: f.labels.clone(), classes, rows: input.rows, width: input.width }
}

fn data(f: &Fixture) -> Prepared {
    let split = split(f);
    Prepared {
        layout: Layout::Flat,
        channels: 1,
        height: 1,
        width: split.width,
        classes: 3,
        train: split.clone(),
        validation: None,
        test: split,
    }
}

/// What is measured of `estimate` at step 0.
pub fn measured(f: &Fixture, cadence: Measure, estimate: &[Tensor], estimator: Option<&Estimator>) -> Vec<(Key, f64)> {
    let data = data(f);
    let view =
        View { point: f.point(), network: &f.network, loss: f.loss, estimate, estimator, exact: false, data: &data };
    let mut values = Vec::new();
    Measurer::new(cadence).measure(view, 0, &mut values, &mut Vec::new()).unwrap();
    values
}

#[track_caller]
pub fn found(values: &[(Key, f64)], key: Key) -> f64 {
    values.iter().find(|(other, _)| *other == key).unwrap_or_else(|| panic!("no {key:?} in {values:?}")).1
}

#[track_caller]
fn agrees(values: &[(Key, f64)], key: Key, expected: f64) {
    let value = found(values, key);
    assert!((value - expected).abs() <= 1e-12 * expected.abs().max(1e-3), "{key:?}: {value}, expected {expected}");
}

fn site_range(f: &Fixture, site: usize) -> std::ops::Range<usize> {
    let node = f.tape.graph().site_node(site);
    node.first_parameter..node.first_parameter + node.parameters
}

#[test]
fn alignment_is_the_angle_of_the_whole_vectors_and_of_each_site() -> Result<()> {
    for f in models() {
        let e = f.signal_guesses(1, 5, 0)?;
        let mut estimator =
            Estimator::new(settings(Scope::ExampleLayer, 1), GuessKind::Signal, &f.tape, f.network.theta())?;
        let estimate = f.network.zeros_like()?;
        estimator.derive(f.point(), Directions::Signal(&e))?;
        estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
        let values = measured(&f, Measure { alignment: 1, ..never() }, &estimate, Some(&estimator));

        let (a, g) = (flatten(&estimate), f.gradient());
        agrees(&values, Key::whole(Quantity::Cosine), cosine(&a, &g));
        agrees(&values, Key::whole(Quantity::NormRatio), (dot(&a, &a) / dot(&g, &g)).sqrt());
        let sign = |value: f64| if value == 0.0 { 0.0 } else { value.signum() };
        let equal = a.iter().zip(&g).filter(|(a, g)| sign(**a) == sign(**g)).count();
        agrees(&values, Key::whole(Quantity::SignAgreement), equal as f64 / a.len() as f64);
        for (site, e) in e.iter().enumerate() {
            let range = site_range(&f, site);
            let (a, g) = (flatten(&estimate[range.clone()]), flatten(&f.gradient[range]));
            agrees(&values, Key::site(Quantity::NormRatio, site), (dot(&a, &a) / dot(&g, &g)).sqrt());
            agrees(&values, Key::site(Quantity::Cosine, site), cosine(&a, &g));
            // Ê_l = d_{l,i} E_{l,i}, row by row, against δ_l.
            let (rows, width) = e.dims2()?;
            let d = estimator.scalars().row(0, site);
            let mut signal = flatten(std::slice::from_ref(e));
            for (row, values) in signal.chunks_mut(width).enumerate() {
                values.iter_mut().for_each(|value| *value *= d[row * d.len() / rows]);
            }
            let delta = flatten(&[f.tape.signal(site).expect("an adjoint pass was made").clone()]);
            agrees(&values, Key::site(Quantity::SignalCosine, site), cosine(&signal, &delta));
        }
    }
    Ok(())
}

/// Quantiles of the cosines of single examples, all their rows one vector, from plain vectors; a frozen example is passed over.
#[test]
fn examples_are_looked_at_one_by_one() -> Result<()> {
    for f in models() {
        let e = f.signal_guesses(1, 5, 0)?;
        for e in &e {
            // The first example has no guess.
            kernel::fill(&e.narrow(0, 0, e.dim(0)? / 6)?, 0.0)?;
        }
        for scope in [Scope::Example, Scope::ExampleLayer] {
            let mut estimator = Estimator::new(settings(scope, 1), GuessKind::Signal, &f.tape, f.network.theta())?;
            let estimate = f.network.zeros_like()?;
            estimator.derive(f.point(), Directions::Signal(&e))?;
            estimator.combine(f.point(), Directions::Signal(&e), &estimate)?;
            let values = measured(&f, Measure { examples: 1, ..never() }, &estimate, Some(&estimator));
            assert_eq!(values.len(), 5 * e.len());
            for (site, e) in e.iter().enumerate() {
                let d = estimator.scalars().row(0, if scope == Scope::Example { 0 } else { site });
                let (guess, delta) =
                    (flatten(std::slice::from_ref(e)), flatten(&[f.tape.signal(site).unwrap().clone()]));
                let size = guess.len() / 6;
                let mut all: Vec<f64> = (1..6)
                    .map(|i| d[i].signum() * cosine(&guess[i * size..][..size], &delta[i * size..][..size]))
                    .filter(|cosine| cosine.is_finite())
                    .collect();
                all.sort_by(f64::total_cmp);
                assert!(scope == Scope::Example || all[0] >= 0.0, "an exact scalar turns its guess the right way");
                let (last, middle) = (all.len() - 1, (all.len() - 1) as f64 / 2.0);
                let median = (all[middle.floor() as usize] + all[middle.ceil() as usize]) / 2.0;
                agrees(&values, Key::site(Quantity::ExampleCosine50, site), median);
                let (low, high) = (Quantity::ExampleCosine5, Quantity::ExampleCosine95);
                let part = 0.05 * last as f64;
                assert!(part < 1.0);
                agrees(&values, Key::site(low, site), all[0] + part * (all[1] - all[0]));
                agrees(&values, Key::site(high, site), all[last] - part * (all[last] - all[last - 1]));
            }
        }
    }
    Ok(())
}

/// Loss at θ − rate·direction, on a tape of its own.
fn loss_after(f: &Fixture, direction: &[Tensor], rate: f64) -> Result<f64> {
    let tape = Tape::new(f.tape.graph().clone(), f.tape.batch(), DType::F64, &Device::Cpu)?;
    let theta: Vec<Tensor> = f
        .network
        .theta()
        .iter()
        .zip(direction)
        .map(|(theta, direction)| theta - (direction * rate)?)
        .collect::<Result<_>>()?;
    tape.forward(&theta, &f.data, None, |_| Ok::<(), candle_core::Error>(()))?;
    Ok(Loss::CrossEntropy.evaluate(tape.logits(), &f.labels, None)?.loss)
}

#[test]
fn one_step_effectiveness_is_the_gain_over_the_gradients_gain() -> Result<()> {
    for f in models() {
        // Between noise and the gradient, so that neither term vanishes.
        let noise = f.weight_direction(9, 0)?;
        let estimate: Vec<Tensor> =
            noise.iter().zip(&f.gradient).map(|(v, g)| (v * 0.1)? + (g * 2.0)?).collect::<Result<_>>()?;
        let (a, g) = (flatten(&estimate), f.gradient());
        for rate in [0.05, 1e-6] {
            let values = measured(&f, Measure { one_step: 1, one_step_rate: rate, ..never() }, &estimate, None);
            let best = f.loss - loss_after(&f, &f.gradient, rate)?;
            let matched = rate * (dot(&g, &g) / dot(&a, &a)).sqrt();
            let (same, raw) = (found(&values, Key::whole(Quantity::OneStep)), Key::whole(Quantity::OneStepRaw));
            // Differences of losses lose 16 − 7 digits at the smaller rate.
            let tolerance = 1e-15 / rate + 1e-10;
            let expected = (f.loss - loss_after(&f, &estimate, matched)?) / best;
            assert!((same - expected).abs() <= tolerance * 100.0, "{same} not {expected}");
            let expected = (f.loss - loss_after(&f, &estimate, rate)?) / best;
            assert!((found(&values, raw) - expected).abs() <= tolerance * 100.0, "raw, {expected}");
            if rate < 1e-3 {
                assert!((same - cosine(&a, &g)).abs() < 1e-3, "{same} not the cosine {}", cosine(&a, &g));
            }
        }
        // A step that the gradient itself does not survive, and a guess of nothing, are missing.
        let cadence = Measure { one_step: 1, ..never() };
        assert_eq!(measured(&f, Measure { one_step_rate: 1e6, ..cadence }, &estimate, None), []);
        assert_eq!(measured(&f, cadence, &f.network.zeros_like()?, None), []);
    }
    Ok(())
}

#[test]
fn the_spectrum_of_a_known_weight_is_known() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    let weight = &f.network.theta()[0];
    let (rows, columns) = weight.dims2()?;
    // Rows scaled to 4, 2, 2 and zeros along the axes: these are the singular values.
    let mut entries = vec![0.0; rows * columns];
    for (index, value) in [4.0, 2.0, 2.0].into_iter().enumerate() {
        entries[index * columns + index] = value;
    }
    kernel::copy(weight, &Tensor::from_vec(entries, (rows, columns), &Device::Cpu)?)?;
    let values = measured(&f, Measure { spectrum: 1, ..never() }, &f.gradient, None);
    agrees(&values, Key::site(Quantity::LargestSingular, 0), 4.0);
    agrees(&values, Key::site(Quantity::StableRank, 0), 24.0 / 16.0);
    // Shares 1/2, 1/4, 1/4: entropy 1.5 ln 2.
    agrees(&values, Key::site(Quantity::EffectiveRank, 0), 2f64.powf(1.5));
    assert_eq!(values.len(), 3 * 3, "three figures of each weight");
    Ok(())
}

/// Ranks of X_l and δ_l: both have no more directions than the batch has different examples, and the logits' signals, whose rows
/// sum to zero, fewer than classes. Stable ranks again from plain vectors, σ₁ by the power method.
#[test]
fn ranks_of_what_flows_through_a_network_are_those_of_its_rows() -> Result<()> {
    for f in models() {
        let cadence = Measure { signal_spectrum: 1, ..never() };
        let values = measured(&f, cadence, &f.gradient, None);
        let sites = f.tape.graph().sites.len();
        assert_eq!(values.len(), 4 * sites, "two ranks of two matrices a site");
        for site in 0..sites {
            let signal = f.tape.signal(site).expect("an adjoint pass was made");
            for (matrix, effective, stable) in [
                (f.tape.activation(site), Quantity::ActivationEffectiveRank, Quantity::ActivationStableRank),
                (signal, Quantity::SignalEffectiveRank, Quantity::SignalStableRank),
            ] {
                let rows: Vec<Vec<f64>> = matrix.to_vec2()?;
                let (largest, whole) = (largest_squared(&rows), rows.iter().map(|row| dot(row, row)).sum::<f64>());
                let (effective, stable) =
                    (found(&values, Key::site(effective, site)), found(&values, Key::site(stable, site)));
                assert!((stable - whole / largest).abs() < 1e-6 * stable, "site {site}: {stable}, {}", whole / largest);
                // The entropy is at most that of equal shares.
                assert!(
                    effective >= 1.0 && effective <= rows.len().min(rows[0].len()) as f64 + 1e-9,
                    "site {site}: {effective}"
                );
            }
        }
        let last = found(&values, Key::site(Quantity::SignalEffectiveRank, sites - 1));
        assert!(last < 2.0 + 1e-9, "the rows of p − y sum to zero: {last} of three classes");
    }
    Ok(())
}

/// σ₁² of a matrix by the power method on its Gram matrix.
fn largest_squared(rows: &[Vec<f64>]) -> f64 {
    let mut direction: Vec<f64> = (0..rows[0].len()).map(|place| 1.0 + (place as f64).sin()).collect();
    let mut value = 0.0;
    for _ in 0..20_000 {
        let length = dot(&direction, &direction).sqrt();
        direction.iter_mut().for_each(|part| *part /= length);
        let along: Vec<f64> = rows.iter().map(|row| dot(row, &direction)).collect();
        value = dot(&along, &along);
        let mut next = vec![0.0; direction.len()];
        for (row, share) in rows.iter().zip(&along) {
            next.iter_mut().zip(row).for_each(|(part, value)| *part += share * value);
        }
        direction = next;
    }
    value
}

#[test]
fn mask_density_is_the_share_of_what_passes() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    let values = measured(&f, Measure { mask_density: 1, ..never() }, &f.gradient, None);
    for site in 0..2 {
        let s = flatten(&[f.tape.pre_activation(site).clone()]);
        let share = s.iter().filter(|s| **s > 0.0).count() as f64 / s.len() as f64;
        assert!(share > 0.0 && share < 1.0);
        agrees(&values, Key::site(Quantity::MaskDensity, site), share);
    }
    assert_eq!(values.len(), 2, "the logits have no mask");
    Ok(())
}

#[test]
fn a_split_is_evaluated_whole_whatever_its_chunks() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    for count in [6, 250, 263] {
        let x = random(count, 6, 71);
        let classes: Vec<u32> = (0..count).map(|i| (i * i % 3) as u32).collect();
        let labels = Tensor::from_vec(classes.iter().map(|c| f64::from(*c)).collect(), (count, 1), &Device::Cpu)?;
        let split = Split { x: x.clone(), labels: labels.clone(), classes: classes.clone(), rows: 1, width: 6 };
        let evaluation = Evaluator::default().evaluate(&f.network, Loss::CrossEntropy, &split)?;
        let tape = Tape::new(f.tape.graph().clone(), count, DType::F64, &Device::Cpu)?;
        tape.forward(f.network.theta(), &x, None, |_| Ok::<(), candle_core::Error>(()))?;
        let logits = flatten(&[tape.logits().clone()]);
        let (mut loss, mut right) = (0.0, 0);
        for (row, class) in logits.chunks(3).zip(&classes) {
            let total: f64 = row.iter().map(|s| s.exp()).sum();
            loss += total.ln() - row[*class as usize];
            right += usize::from(row.iter().all(|s| *s <= row[*class as usize]));
        }
        assert!((evaluation.loss - loss / count as f64).abs() < 1e-12, "{count}: {evaluation:?}");
        assert_eq!(evaluation.accuracy, right as f64 / count as f64, "{count}");
    }
    Ok(())
}

#[test]
fn nothing_is_measured_that_is_not_due() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    let cadence = Measure { alignment: 20, mask_density: 3, test: 50, ..never() };
    let data = data(&f);
    let mut measurer = Measurer::new(cadence);
    for (step, cosine, density, test) in
        [(0, true, true, true), (3, false, true, false), (20, true, false, false), (100, true, false, true)]
    {
        let view = View {
            point: f.point(),
            network: &f.network,
            loss: f.loss,
            estimate: &f.gradient,
            estimator: None,
            exact: true,
            data: &data,
        };
        let mut values = Vec::new();
        assert!(measurer.due(step));
        measurer.measure(view, step, &mut values, &mut Vec::new())?;
        let has = |key| values.iter().any(|(other, _)| *other == key);
        assert_eq!(has(Key::whole(Quantity::Cosine)), cosine, "step {step}");
        assert_eq!(has(Key::site(Quantity::MaskDensity, 0)), density, "step {step}");
        assert_eq!(has(Key::whole(Quantity::TestLoss)), test, "step {step}");
        assert!(!has(Key::whole(Quantity::OneStep)) && !has(Key::whole(Quantity::TrainLoss)));
    }
    assert!(!measurer.due(7) && !Measurer::new(never()).due(0));
    Ok(())
}

#[test]
fn each_split_is_measured_on_its_own_examples() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 6, 40)?;
    let make = |seed: u64, count: usize| -> Result<Split> {
        let labels = Tensor::from_vec((0..count).map(|i| (i % 3) as f64).collect(), (count, 1), &Device::Cpu)?;
        let classes = (0..count).map(|i| (i % 3) as u32).collect();
        Ok(Split { x: random(count, 6, seed), labels, classes, rows: 1, width: 6 })
    };
    let data = Prepared { train: make(81, 9)?, validation: Some(make(82, 7)?), test: make(83, 8)?, ..data(&f) };
    let mut values = Vec::new();
    Measurer::new(never()).last(&f.network, Loss::CrossEntropy, &data, &mut values)?;
    let validation = data.validation.as_ref().expect("a validation split");
    for (split, loss, accuracy) in [
        (&data.train, Quantity::TrainLoss, Quantity::TrainAccuracy),
        (validation, Quantity::ValidationLoss, Quantity::ValidationAccuracy),
        (&data.test, Quantity::TestLoss, Quantity::TestAccuracy),
    ] {
        let expected = Evaluator::default().evaluate(&f.network, Loss::CrossEntropy, split)?;
        agrees(&values, Key::whole(loss), expected.loss);
        agrees(&values, Key::whole(accuracy), expected.accuracy);
    }
    let of = |quantity| values.iter().find(|(key, _)| *key == Key::whole(quantity)).map(|(_, value)| *value);
    let gap = of(Quantity::TrainAccuracy).zip(of(Quantity::TestAccuracy)).map(|(train, test)| train - test);
    assert_eq!((values.len(), of(Quantity::GeneralisationGap)), (7, gap));
    Ok(())
}
