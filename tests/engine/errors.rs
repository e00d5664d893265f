//! The standard errors that a probe reports: the stated formulas, exactly, and what independent probes of one point really vary by.

use crate::fixture::{Fixture, dot, flatten};
use crate::identities::settings;
use candle_core::{Result, Tensor};
use guesswork::estimate::{Directions, Estimator, GuessKind};
use guesswork::kernel;
use guesswork::measure::bias::Probe;
use guesswork::model::Extent;
use guesswork::record::Quantity;
use guesswork::workspace::Scope;
use std::collections::BTreeMap;

type Found = BTreeMap<(Quantity, Option<u16>), f64>;

/// Values with their errors.
const PROBED: [(Quantity, Quantity); 3] = [
    (Quantity::BiasSquared, Quantity::BiasSquaredError),
    (Quantity::Variance, Quantity::VarianceError),
    (Quantity::ScalarFit, Quantity::ScalarFitError),
];

fn fixture() -> Result<Fixture> {
    Fixture::new("mlp((hidden: [4]))", Extent::image(1, 2, 2), 3, 5, 77)
}

fn probed(
    f: &Fixture,
    probe: &mut Probe,
    guesses: u64,
    fresh: impl FnMut(u64, &[Tensor]) -> Result<()>,
) -> Result<Found> {
    let mut values = Vec::new();
    probe.measure(f.network.graph(), &f.gradient, guesses, fresh, &mut values)?;
    Ok(values.into_iter().map(|(key, value)| ((key.quantity, key.site), value)).collect())
}

fn mean(vectors: &[&[f64]]) -> Vec<f64> {
    let sum = |place: usize| vectors.iter().map(|vector| vector[place]).sum::<f64>();
    (0..vectors[0].len()).map(|place| sum(place) / vectors.len() as f64).collect()
}

fn less(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// ‖m − g‖² − s²/M, s² and ⟨m, g⟩ as they are defined.
fn figures(estimates: &[&[f64]], g: &[f64]) -> [f64; 3] {
    let (m, count) = (mean(estimates), estimates.len() as f64);
    let square = |vector: Vec<f64>| dot(&vector, &vector);
    let variance = estimates.iter().map(|one| square(less(one, &m))).sum::<f64>() / (count - 1.0);
    [square(less(&m, g)) - variance / count, variance, dot(&m, g)]
}

/// The delete-one jackknife of each: every estimate left out once and everything found anew.
fn jackknife(estimates: &[&[f64]], g: &[f64]) -> [f64; 3] {
    let without = |out: usize| -> Vec<&[f64]> {
        let kept = estimates.iter().enumerate().filter(|(place, _)| *place != out);
        kept.map(|(_, one)| *one).collect()
    };
    let all: Vec<[f64; 3]> = (0..estimates.len()).map(|out| figures(&without(out), g)).collect();
    let m = all.len() as f64;
    std::array::from_fn(|which| {
        let middle = all.iter().map(|found| found[which]).sum::<f64>() / m;
        all.iter().map(|found| (found[which] - middle).powi(2)).sum::<f64>() * (m - 1.0) / m
    })
}

/// The squared standard errors: the jackknife, of bias² less what its pairs are counted too often, with tr C² from every difference of
/// a pair against those before it.
fn squared_errors(estimates: &[&[f64]], g: &[f64]) -> [f64; 3] {
    let [bias, variance, fit] = jackknife(estimates, g);
    let m = estimates.len() as f64;
    let differences: Vec<Vec<f64>> = estimates.chunks_exact(2).map(|pair| less(pair[0], pair[1])).collect();
    let pairs = differences.len() as f64;
    let products = (0..differences.len()).map(|k| {
        let before = differences[..k].iter().map(|other| dot(&differences[k], other) / 2.0);
        before.sum::<f64>().powi(2)
    });
    let trace = products.sum::<f64>() / (pairs * (pairs - 1.0) / 2.0);
    let excess = 2.0 * trace / ((m - 1.0) * (m - 2.0));
    [(bias - excess).max(bias * (m - 2.0) / (2.0 * (m - 1.0))), variance, fit]
}

#[test]
fn a_probe_reports_the_errors_that_its_estimates_have() -> Result<()> {
    let f = fixture()?;
    let mut probe = Probe::new(f.network.theta())?;
    // An odd number: one estimate is of no pair. The same buffers serve the next probe.
    for (guesses, seed) in [(9, 310), (4, 311)] {
        let mut seen: BTreeMap<u64, Vec<Tensor>> = BTreeMap::new();
        let found = probed(&f, &mut probe, guesses, |number, estimate| {
            for ((into, v), g) in estimate.iter().zip(f.weight_direction(seed, number)?).zip(&f.gradient) {
                kernel::copy(into, g)?;
                kernel::scale(into, 0.5)?;
                kernel::axpy(into, 0.1, &v)?;
            }
            seen.insert(number, estimate.iter().map(Tensor::copy).collect::<Result<_>>()?);
            Ok(())
        })?;
        let graph = f.network.graph();
        let sites = (0..graph.sites.len()).map(|site| {
            let node = graph.site_node(site);
            (Some(site as u16), node.first_parameter..node.first_parameter + node.parameters)
        });
        let mut taken_off = false;
        for (site, range) in sites.chain([(None, 0..f.gradient.len())]) {
            let g = flatten(&f.gradient[range.clone()]);
            let estimates: Vec<Vec<f64>> = seen.values().map(|estimate| flatten(&estimate[range.clone()])).collect();
            let estimates: Vec<&[f64]> = estimates.iter().map(Vec::as_slice).collect();
            let (values, errors) = (figures(&estimates, &g), squared_errors(&estimates, &g));
            for ((value, error), (expected, squared)) in PROBED.iter().zip(values.iter().zip(&errors)) {
                let (value, error) = (found[&(*value, site)], found[&(*error, site)]);
                let scale = dot(&g, &g);
                assert!((value * scale - expected).abs() < 1e-11 * values[1].max(expected.abs()), "{site:?}: {value}");
                assert!(
                    (error * scale / squared.sqrt() - 1.0).abs() < 1e-9,
                    "{site:?}: {error} for {}",
                    squared.sqrt()
                );
            }
            taken_off |= errors[0] < 0.99 * jackknife(&estimates, &g)[0];
        }
        assert!(taken_off, "nothing was taken off the jackknife: the test does not see whether it is");
    }
    Ok(())
}

/// Independent probes: for each value the deviation between probes, the mean of the reported errors, and the share of probes whose
/// interval of three errors holds the truth.
fn spread(probes: &[Found], truths: [f64; 3]) -> [(f64, f64, f64); 3] {
    let count = probes.len() as f64;
    std::array::from_fn(|which| {
        let (value, error) = PROBED[which];
        let of = |quantity| probes.iter().map(move |found| found[&(quantity, None)]);
        let middle = of(value).sum::<f64>() / count;
        let deviation = (of(value).map(|value| (value - middle).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
        let holds = of(value).zip(of(error)).filter(|(value, error)| (value - truths[which]).abs() <= 3.0 * error);
        (deviation, of(error).sum::<f64>() / count, holds.count() as f64 / count)
    })
}

/// Of 300 probes of 64 estimates each the ratio of reported error and deviation is 1.00 ± 0.04 for the normal estimates here and 0.97
/// (variance), 0.98 (fit), 1.05 (bias²) ± 0.05 for weight perturbation, whose squares are heavy-tailed, in a simulation apart from this
/// code. Four of these deviations give the tolerance. The jackknife that counts the pairs of an unbiased guess twice is at 1.40.
const TOLERANCE: f64 = 0.25;

/// Intervals of three errors hold the truth in 99.7 % of the cases for normal values, in 97.6 ± 0.9 % of such 300 probes for the variance
/// of weight perturbation, whose mean over 64 estimates is skewed: five deviations below.
const HELD: f64 = 0.93;

fn assert_agrees(what: &str, probes: &[Found], truths: [f64; 3]) {
    for ((value, _), (deviation, error, held)) in PROBED.into_iter().zip(spread(probes, truths)) {
        let name = value.name();
        assert!(
            (error / deviation - 1.0).abs() < TOLERANCE,
            "{what}, {name}: {error} reported, {deviation} between probes"
        );
        assert!(held >= HELD, "{what}, {name}: {held} of the intervals hold the truth");
    }
}

#[test]
fn independent_probes_of_weight_perturbation_differ_by_what_each_reports() -> Result<()> {
    let f = fixture()?;
    let n = f.gradient().len() as f64;
    let mut estimator = Estimator::new(settings(Scope::Batch, 1), GuessKind::Weight, &f.tape, f.network.theta())?;
    let mut probe = Probe::new(f.network.theta())?;
    let guesses = 64;
    let probes: Vec<Found> = (0..300)
        .map(|number| {
            probed(&f, &mut probe, guesses, |guess, estimate| {
                let v = vec![f.weight_direction(320, number * guesses + guess)?];
                estimator.derive(f.point(), Directions::Weight(&v))?;
                estimator.combine(f.point(), Directions::Weight(&v), estimate)
            })
        })
        .collect::<Result<_>>()?;
    // E ĝ = g and E‖ĝ‖² = (n + 2)‖g‖².
    assert_agrees("unbiased", &probes, [0.0, n + 1.0, 1.0]);
    Ok(())
}

#[test]
fn independent_probes_of_a_biased_estimate_differ_by_what_each_reports() -> Result<()> {
    let f = fixture()?;
    let g = f.gradient();
    let (n, noise, guesses) = (g.len() as f64, 0.1 * dot(&g, &g).sqrt(), 64);
    let mut probe = Probe::new(f.network.theta())?;
    let probes: Vec<Found> = (0..300)
        .map(|number| {
            probed(&f, &mut probe, guesses, |guess, estimate| {
                let v = f.weight_direction(321, number * guesses + guess)?;
                for ((into, v), g) in estimate.iter().zip(v).zip(&f.gradient) {
                    kernel::copy(into, g)?;
                    kernel::scale(into, 0.5)?;
                    kernel::axpy(into, noise, &v)?;
                }
                Ok(())
            })
        })
        .collect::<Result<_>>()?;
    assert_agrees("biased", &probes, [0.25, 0.01 * n, 0.5]);
    Ok(())
}

#[test]
fn of_two_estimates_only_the_fit_has_an_error() -> Result<()> {
    let f = fixture()?;
    let found = probed(&f, &mut Probe::new(f.network.theta())?, 2, |guess, estimate| {
        let v = f.weight_direction(322, guess)?;
        estimate.iter().zip(v).try_for_each(|(into, v)| kernel::copy(into, &v))
    })?;
    assert!(found[&(Quantity::ScalarFitError, None)] > 0.0 && found.contains_key(&(Quantity::Variance, None)));
    for error in [Quantity::BiasSquaredError, Quantity::VarianceError] {
        assert!(!found.contains_key(&(error, None)), "{error:?}");
    }
    Ok(())
}
