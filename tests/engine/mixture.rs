//! Mixtures: the sum by hand, its covariance, and a lane of several strategies against the same sum made outside of it.

use crate::fixture::{Fixture, MLP, TANH};
use crate::proposer::Proposer;
use candle_core::{DType, Device, Result, Tensor};
use guesswork::data::{Dataset, Layout};
use guesswork::estimate::{Directions, GuessKind, Mixture, Point, Settings};
use guesswork::model::{Extent, Network, Tape, build};
use guesswork::objective::Loss;
use guesswork::session::{Solo, SoloPlan};
use guesswork::workspace::{Document, LaneSpec, ParamValue, Problem, Scope};
use std::ops::Range;
use std::sync::Arc;

/// `rows` of `width` numbers that no rule of the sum knows; row 1 of member 0 is zero.
fn member(m: usize, rows: usize, width: usize, round: usize) -> Vec<Vec<f64>> {
    let entry = |i: usize, j: usize| ((i * 7 + j * 3 + m * 5 + round) % 11) as f64 - 4.75;
    let zero = |i: usize| m == 0 && i == 1;
    (0..rows).map(|i| (0..width).map(|j| if zero(i) { 0.0 } else { entry(i, j) }).collect()).collect()
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[test]
fn the_sum_of_signals_is_that_of_rows_made_equally_long() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 4, 90)?;
    let weights = [0.5, -2.0];
    let mixture = Mixture::new(weights.to_vec(), GuessKind::Signal, 2, &f.tape, f.network.theta())?;
    assert_eq!(mixture.weights(), weights);
    // The second round begins the sums anew.
    for round in 0..2 {
        for site in 0..f.tape.graph().sites.len() {
            let (rows, width) = f.tape.pre_activation(site).dims2()?;
            let members = [0, 1].map(|m| member(m, 2 * rows, width, round));
            for (m, values) in members.iter().enumerate() {
                // Whatever its own scale.
                let flat = values.iter().flatten().map(|value| value * 1e6_f64.powi(m as i32)).collect();
                mixture.add_signal(m, site, &Tensor::from_vec(flat, (2 * rows, width), &Device::Cpu)?)?;
            }
            let Directions::Signal(sums) = mixture.directions() else { panic!("signals are added") };
            let found = sums[site].to_vec2::<f64>()?;
            for (i, row) in found.iter().enumerate() {
                for (j, found) in row.iter().enumerate() {
                    let part = |m: usize| {
                        let size = length(&members[m][i]);
                        if size == 0.0 { 0.0 } else { weights[m] * members[m][i][j] * (width as f64).sqrt() / size }
                    };
                    let expected = part(0) + part(1);
                    assert!((found - expected).abs() < 1e-13, "site {site}, row {i}: {found} for {expected}");
                }
            }
            let second = length(&found[1]);
            assert!((second - 2.0 * (width as f64).sqrt()).abs() < 1e-12, "member 0 has nothing there: {second}");
        }
    }
    Ok(())
}

#[test]
fn the_sum_of_directions_is_that_of_layers_made_equally_long_bias_and_all() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 4, 91)?;
    let weights = [1.5, -0.25];
    let mixture = Mixture::new(weights.to_vec(), GuessKind::Weight, 2, &f.tape, f.network.theta())?;
    let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f64>();
    for guess in 0..2 {
        let members = [f.weight_direction(5, guess as u64)?, f.weight_direction(6, guess as u64)?];
        // The first layer of member 0 is zero.
        for part in &members[0][..2] {
            guesswork::kernel::fill(part, 0.0)?;
        }
        for (m, v) in members.iter().enumerate() {
            (0..3).try_for_each(|site| mixture.add_direction(m, site, guess, v))?;
        }
        let Directions::Weight(sums) = mixture.directions() else { panic!("directions are added") };
        for layer in 0..3 {
            let of =
                |v: &[Tensor]| -> Result<Vec<f64>> { Ok([flat(&v[2 * layer])?, flat(&v[2 * layer + 1])?].concat()) };
            let (parts, found) = ([of(&members[0])?, of(&members[1])?], of(&sums[guess])?);
            for (index, found) in found.iter().enumerate() {
                let part = |m: usize| {
                    let size = length(&parts[m]);
                    let wanted = (parts[m].len() as f64).sqrt();
                    if size == 0.0 { 0.0 } else { weights[m] * parts[m][index] * wanted / size }
                };
                let expected = part(0) + part(1);
                assert!((found - expected).abs() < 1e-13, "layer {layer}: {found} for {expected}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_not_finite_stays_so_and_what_cannot_be_added_is_refused() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, 4, 92)?;
    let theta = f.network.theta();
    let of = |weights: &[f64], kind| Mixture::new(weights.to_vec(), kind, 1, &f.tape, theta);
    assert!(of(&[], GuessKind::Signal).is_err() && of(&[1.0], GuessKind::Estimate).is_err());
    let (signals, directions) = (of(&[1.0], GuessKind::Signal)?, of(&[1.0], GuessKind::Weight)?);
    let signal = Tensor::new(&[[f64::NAN, 1.0, 1.0, 1.0, 1.0]; 4], &Device::Cpu)?;
    assert!(signals.add_signal(1, 0, &signal).is_err() && directions.add_signal(0, 0, &signal).is_err());
    signals.add_signal(0, 0, &signal)?;
    let Directions::Signal(sums) = signals.directions() else { panic!("signals are added") };
    assert!(sums[0].to_vec2::<f64>()?.iter().all(|row| row[0].is_nan()));
    let v = f.weight_direction(7, 0)?;
    assert!(signals.add_direction(0, 0, 0, &v).is_err() && directions.add_direction(0, 0, 1, &v).is_err());
    assert!(directions.add_direction(0, 99, 0, &v).is_err());
    guesswork::kernel::fill(&v[1], f64::INFINITY)?;
    directions.add_direction(0, 0, 0, &v)?;
    let Directions::Weight(sums) = directions.directions() else { panic!("directions are added") };
    assert!(sums[0][1].to_vec1::<f64>()?.iter().all(|value| !value.is_finite()));
    Ok(())
}

/// The products x_i x_j of the first row of the sum at the first site, with their means and standard errors over the steps.
struct Covariance {
    mean: Vec<f64>,
    error: Vec<f64>,
    /// Largest |mean of x_i| in its standard errors.
    bias: f64,
}

fn covariance(f: &Fixture, members: &[(&str, u64, f64)], steps: Range<u64>) -> Result<Covariance> {
    let plain = Settings::plain(Scope::ExampleLayer);
    let keyed =
        |(id, instance, _): &(&str, u64, f64)| Proposer::keyed(id, &[], plain, &f.network, &f.tape, (3, *instance));
    let mut proposers: Vec<Proposer> = members.iter().map(keyed).collect();
    let estimator = proposers[0].estimator(&f.tape, &f.network);
    let weights = members.iter().map(|(.., weight)| *weight).collect();
    let mixture = Mixture::new(weights, GuessKind::Signal, 1, &f.tape, f.network.theta())?;
    let n = f.tape.pre_activation(0).dim(1)?;
    let (mut sum, mut square) = (vec![0.0; n * n], vec![0.0; n * n]);
    let mut first = vec![0.0; n];
    let m = (steps.end - steps.start) as f64;
    for step in steps {
        for (index, proposer) in proposers.iter_mut().enumerate() {
            proposer.propose(&f.network, &f.tape, &f.data, step, &estimator);
            let Directions::Signal(signals) = proposer.directions() else { panic!("{members:?} guess signals") };
            mixture.add_signal(index, 0, &signals[0])?;
        }
        let Directions::Signal(sums) = mixture.directions() else { panic!("signals are added") };
        let x = sums[0].get(0)?.to_vec1::<f64>()?;
        for (i, a) in x.iter().enumerate() {
            first[i] += a;
            for (j, b) in x.iter().enumerate() {
                sum[i * n + j] += a * b;
                square[i * n + j] += (a * b).powi(2);
            }
        }
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / m).collect();
    let error = mean.iter().zip(&square).map(|(mean, square)| ((square / m - mean * mean) / m).sqrt()).collect();
    let bias = (0..n).map(|i| (first[i] / m).abs() / (mean[i * n + i] / m).sqrt()).fold(0.0, f64::max);
    Ok(Covariance { mean, error, bias })
}

/// Cov(Σ_m w_m N(E^m)) = Σ_m w_m² Cov(N(E^m)) for members of mean zero whose draws are independent: also for two of one strategy,
/// whose instances differ. With the same draws it would be (Σ_m w_m)² that of one.
#[test]
fn covariances_add_with_the_weights_squared() -> Result<()> {
    const DRAWS: u64 = 6000;
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 3, 93)?;
    let far = |members: &[(&str, u64, f64)]| -> Result<(f64, f64)> {
        let mixed = covariance(&f, members, 0..DRAWS)?;
        let mut parts = Vec::new();
        for (id, instance, weight) in members {
            // Draws of their own.
            let alone = covariance(&f, &[(*id, *instance, 1.0)], DRAWS..2 * DRAWS)?;
            parts.push((weight * weight, alone));
        }
        let mut far: f64 = 0.0;
        for (index, (mean, error)) in mixed.mean.iter().zip(&mixed.error).enumerate() {
            let expected: f64 = parts.iter().map(|(square, part)| square * part.mean[index]).sum();
            let errors: f64 = parts.iter().map(|(square, part)| (square * part.error[index]).powi(2)).sum();
            far = far.max((mean - expected).abs() / (error * error + errors).sqrt());
        }
        Ok((far, mixed.bias))
    };
    for members in [
        [("weight-transpose", 0, 1.0), ("activity-perturbation", 2, -0.5)],
        [("weight-transpose", 0, 1.5), ("weight-transpose", 2, 1.0)],
        [("jacobian-transpose", 0, 0.25), ("activation-mixing", 2, 2.0)],
    ] {
        let (far, bias) = far(&members)?;
        assert!(far < 5.5 && bias < 5.5, "{members:?}: {far} and {bias} standard errors");
    }
    let (same, _) = far(&[("weight-transpose", 0, 1.5), ("weight-transpose", 0, 1.0)])?;
    assert!(same > 20.0, "draws that are not independent must show: {same} standard errors");
    Ok(())
}

/// A member as the lanes below have it: id, parameters, weight.
type Part<'a> = (&'a str, &'a [(&'a str, ParamValue)], f64);

const RATE: f64 = 0.05;
const GUESSES: usize = 2;

/// The parameters after one step of a lane that is a mixture.
fn by_the_lane(problem: &guesswork::workspace::NetworkProblem, lane: LaneSpec) -> Vec<Tensor> {
    let data = Dataset::load(&problem.data, None, 0).unwrap().prepare(Layout::Flat, DType::F64, &Device::Cpu).unwrap();
    let (model, batch) = (problem.model.clone(), problem.batch);
    let mut solo = Solo::new(SoloPlan { model, lane, data, batch, plugin_paths: Vec::new() }).unwrap();
    solo.step().unwrap();
    solo.network().theta().to_vec()
}

/// The same, from the members' guesses and candle's own operations. The instance of member m is 2m.
fn by_hand(problem: &guesswork::workspace::NetworkProblem, parts: &[Part], scope: Scope) -> Result<Vec<Tensor>> {
    let data = Dataset::load(&problem.data, None, 0).unwrap().prepare(Layout::Flat, DType::F64, &Device::Cpu).unwrap();
    let images = Extent::image(data.channels, data.height, data.width);
    let graph = Arc::new(build::build(&problem.model, images, data.classes).unwrap());
    let network = Network::new(graph.clone(), DType::F64, &Device::Cpu, 0)?;
    let tape = Tape::new(graph, problem.batch, DType::F64, &Device::Cpu)?;
    let batch = data.train.chunks(problem.batch).next().unwrap()?;
    let theta = network.theta();
    let settings = Settings { guesses: GUESSES, ..Settings::plain(scope) };
    let mut members: Vec<Proposer> = parts
        .iter()
        .enumerate()
        .map(|(m, (id, params, _))| Proposer::keyed(id, params, settings, &network, &tape, (0, 2 * m as u64)))
        .collect();
    let mut estimator = members[0].estimator(&tape, &network);
    members.iter_mut().for_each(|member| member.propose(&network, &tape, &batch.x, 0, &estimator));
    let deltas: Vec<Tensor> = tape.outputs().into_iter().map(Tensor::zeros_like).collect::<Result<_>>()?;
    Loss::CrossEntropy.evaluate_all(&tape.outputs(), &batch.labels, Some(&deltas))?;
    let point =
        Point { tape: &tape, theta, data: &batch.x, labels: &batch.labels, loss: Loss::CrossEntropy, deltas: &deltas };
    let (mut signals, mut weights): (Vec<Tensor>, Vec<Vec<Tensor>>) = (Vec::new(), Vec::new());
    for (member, (.., weight)) in members.iter().zip(parts) {
        match member.directions() {
            Directions::Signal(all) => {
                for (site, e) in all.iter().enumerate() {
                    let size = e.sqr()?.sum_keepdim(1)?.sqrt()?;
                    let part = ((e.broadcast_div(&size)? * (e.dim(1)? as f64).sqrt())? * *weight)?;
                    match signals.get(site) {
                        None => signals.push(part),
                        Some(sum) => signals[site] = (sum + part)?,
                    }
                }
            }
            Directions::Weight(all) => {
                for (guess, v) in all.iter().enumerate() {
                    let mut scaled = Vec::new();
                    for layer in v.chunks(2) {
                        let mut squared = 0.0;
                        for part in layer {
                            squared += part.sqr()?.sum_all()?.to_scalar::<f64>()?;
                        }
                        let entries: usize = layer.iter().map(Tensor::elem_count).sum();
                        for part in layer {
                            scaled.push((part * (weight * (entries as f64 / squared).sqrt()))?);
                        }
                    }
                    match weights.get(guess) {
                        None => weights.push(scaled),
                        Some(sum) => {
                            weights[guess] = sum.iter().zip(&scaled).map(|(a, b)| a + b).collect::<Result<_>>()?;
                        }
                    }
                }
            }
        }
    }
    let directions = if weights.is_empty() { Directions::Signal(&signals) } else { Directions::Weight(&weights) };
    let estimate = network.zeros_like()?;
    estimator.derive(point, directions)?;
    estimator.combine(point, directions, &estimate)?;
    theta.iter().zip(&estimate).map(|(theta, estimate)| theta - (estimate * RATE)?).collect()
}

#[test]
fn a_lane_adds_what_its_strategies_guess_by_themselves() -> Result<()> {
    let two = [("depth", ParamValue::Int(2))];
    let signal: [&[Part]; 3] = [
        // Two of one strategy.
        &[("weight-transpose", &[], 1.0), ("weight-transpose", &[], 0.5)],
        // One is called layer by layer, the other once.
        &[("activity-perturbation", &[], 1.0), ("jacobian-transpose", &[], -0.7)],
        &[("label-guess", &two, 2.0), ("activation-mixing", &[], 0.25), ("weight-transpose", &two, 1.0)],
    ];
    // Directions given as they are, as factors, as a seed.
    let weight: [&[Part]; 1] =
        [&[("weight-perturbation", &[], 1.0), ("activation-subspace", &[], -2.0), ("mezo", &[], 0.5)]];
    let cases =
        signal.iter().map(|parts| (*parts, Scope::ExampleLayer)).chain(weight.iter().map(|p| (*p, Scope::Layer)));
    for (parts, scope) in cases {
        let members: Vec<String> = parts
            .iter()
            .map(|(id, params, weight)| {
                let params = if params.is_empty() { "" } else { r#", params: {"depth": 2}"# };
                format!("(strategy: {id:?}, weight: {weight:?}{params})")
            })
            .collect();
        let scope_word = if scope == Scope::Layer { "layer" } else { "example_layer" };
        let text = format!(
            "(problem: Network(data: (name: \"digits\"), model: mlp(hidden: [9, 7], activation: tanh), batch: 16),
              lanes: [(strategy: \"mixture\", of: [{}], scope: {scope_word}, guesses: {GUESSES}, optimizer: sgd(lr: {RATE}))])",
            members.join(", ")
        );
        let workspace = Document::parse(&text, "mixed.ron").unwrap().workspace;
        let Problem::Network(problem) = &workspace.problem;
        let found = by_the_lane(problem, workspace.lanes[0].clone());
        let expected = by_hand(problem, parts, scope)?;
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let far = (found - expected)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
            assert!(far < 1e-11, "{parts:?}, parameter {index}: {far}");
        }
    }
    Ok(())
}
