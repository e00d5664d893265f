//! Products with the Hessian, and the top of its spectrum, against differences of gradients.

use crate::fixture::{Fixture, dot, flatten};
use crate::graphs::architectures;
use crate::local::cases;
use crate::measures::{found, measured, never};
use candle_core::{Result, Tensor};
use guesswork::kernel;
use guesswork::model::{Curvature, Extent};
use guesswork::objective::Loss;
use guesswork::record::{Key, Quantity};
use guesswork::workspace::{LossesSpec, Measure};

/// H v by the engine.
fn product(f: &Fixture, loss: Loss, v: &[Tensor]) -> Result<Vec<Tensor>> {
    let product = f.network.zeros_like()?;
    let outputs = f.tape.outputs();
    let seeds = |tangents: &[Tensor]| loss.curve_all(&outputs, tangents);
    Curvature::new(&f.tape)?.product(&f.tape, f.network.theta(), v, seeds, &product)?;
    Ok(product)
}

/// The gradient of `loss` at the present parameters, by backpropagation.
fn gradient(f: &Fixture, loss: Loss) -> Result<Vec<f64>> {
    let theta = f.network.theta();
    f.tape.forward(theta, &f.data, None, |_| Ok::<(), candle_core::Error>(()))?;
    loss.evaluate_all(&f.tape.outputs(), &f.labels, Some(&f.deltas))?;
    f.tape.adjoint(theta, &f.deltas, Some(&f.gradient))?;
    Ok(f.gradient())
}

/// H v by central differences of gradients; leaves the point as it was.
fn difference(f: &Fixture, loss: Loss, v: &[Tensor]) -> Result<Vec<f64>> {
    const H: f64 = 1e-5;
    let at = |step: f64| -> Result<Vec<f64>> {
        for (theta, v) in f.network.theta().iter().zip(v) {
            kernel::axpy(theta, step, v)?;
        }
        gradient(f, loss)
    };
    let (ahead, behind) = (at(H)?, at(-2.0 * H)?);
    at(H)?;
    Ok(ahead.iter().zip(&behind).map(|(a, b)| (a - b) / (2.0 * H)).collect())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    (dot(&apart, &apart) / dot(b, b)).sqrt()
}

#[test]
fn products_are_the_derivative_of_the_gradient_for_every_layer_and_loss() -> Result<()> {
    for (model, image) in architectures() {
        for loss in [Loss::CrossEntropy, Loss::MeanSquaredError] {
            let f = Fixture::new(model, image, 5, 4, 11)?;
            gradient(&f, loss)?;
            let v = f.weight_direction(5, 0)?;
            let exact = flatten(&product(&f, loss, &v)?);
            let near = difference(&f, loss, &v)?;
            let apart = distance(&near, &exact);
            assert!(apart < 1e-6, "{model} {loss:?}: {apart}");
        }
    }
    Ok(())
}

#[test]
fn products_are_linear_and_symmetric() -> Result<()> {
    for (model, image) in architectures() {
        let f = Fixture::new(model, image, 5, 4, 12)?;
        let (u, v) = (f.weight_direction(6, 0)?, f.weight_direction(6, 1)?);
        let sum = u.iter().zip(&v).map(|(u, v)| u + (v * 2.0)?).collect::<Result<Vec<_>>>()?;
        let of = |v: &[Tensor]| product(&f, Loss::CrossEntropy, v).map(|product| flatten(&product));
        let (hu, hv, hsum) = (of(&u)?, of(&v)?, of(&sum)?);
        let (u, v) = (flatten(&u), flatten(&v));
        let scale = (dot(&u, &u) * dot(&hv, &hv)).sqrt();
        assert!((dot(&u, &hv) - dot(&v, &hu)).abs() < 1e-12 * scale, "{model}");
        let added: Vec<f64> = hu.iter().zip(&hv).map(|(a, b)| a + 2.0 * b).collect();
        assert!(distance(&hsum, &added) < 1e-12, "{model}");
    }
    Ok(())
}

#[test]
fn borders_of_local_losses_make_the_hessian_block_diagonal() -> Result<()> {
    for (model, losses, image) in cases() {
        if matches!(losses, LossesSpec::Local { greedy: false, .. }) {
            continue;
        }
        let f = Fixture::with(model, losses, image, 3, 4, 13)?;
        let graph = f.tape.graph();
        assert!(graph.parts.len() > 1, "{model}");
        let all = f.weight_direction(7, 0)?;
        let ranges = |part: &[usize]| -> Vec<usize> {
            let node = |site: &usize| graph.site_node(*site);
            part.iter()
                .flat_map(|site| node(site).first_parameter..node(site).first_parameter + node(site).parameters)
                .collect()
        };
        for part in &graph.parts {
            let inside = ranges(part);
            let keep =
                |(index, v): (usize, &Tensor)| if inside.contains(&index) { Ok(v.clone()) } else { v.zeros_like() };
            let v = all.iter().enumerate().map(keep).collect::<Result<Vec<_>>>()?;
            let exact = product(&f, Loss::CrossEntropy, &v)?;
            let near = difference(&f, Loss::CrossEntropy, &v)?;
            let (mut ours, mut theirs, mut from) = (Vec::new(), Vec::new(), 0);
            for (index, part) in exact.iter().enumerate() {
                let values = flatten(std::slice::from_ref(part));
                if inside.contains(&index) {
                    theirs.extend(&near[from..from + values.len()]);
                    ours.extend(&values);
                } else {
                    assert!(values.iter().all(|value| *value == 0.0), "{model}: parameter {index} is of another part");
                }
                from += values.len();
            }
            assert!(distance(&theirs, &ours) < 1e-6, "{model}");
        }
    }
    Ok(())
}

/// Eigenvalues, falling, and eigenvectors of a symmetric matrix by cyclic Jacobi rotations.
fn eigen(mut a: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let n = a.len();
    let mut u: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                let angle = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                let (s, c) = angle.sin_cos();
                let turn = |x: f64, y: f64| (c * x - s * y, s * x + c * y);
                for row in a.iter_mut().chain(&mut u) {
                    (row[p], row[q]) = turn(row[p], row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                    (*x, *y) = turn(*x, *y);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> = (0..n).map(|j| (a[j][j], u.iter().map(|row| row[j]).collect())).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs
}

#[test]
fn the_top_of_the_spectrum_is_that_of_the_dense_hessian() -> Result<()> {
    const TOP: usize = 4;
    // 4·5 + 5 + 5·3 + 3 = 43 parameters: the recurrence may end early; 63 of the second: it must not.
    for (model, image) in [("mlp((hidden: [5], activation: tanh))", 4), ("mlp((hidden: [4, 5], activation: gelu))", 5)]
    {
        let f = Fixture::new(model, Extent::dense(image), 3, 12, 14)?;
        let n = f.network.parameter_count();
        let zeros = f.network.zeros_like()?;
        let mut columns = Vec::with_capacity(n);
        for (index, zero) in zeros.iter().enumerate() {
            for place in 0..zero.elem_count() {
                let mut values = vec![0.0; zero.elem_count()];
                values[place] = 1.0;
                let mut v = zeros.clone();
                v[index] = Tensor::from_vec(values, zero.shape(), zero.device())?;
                columns.push(difference(&f, Loss::CrossEntropy, &v)?);
            }
        }
        let symmetric = (0..n).map(|i| (0..n).map(|j| 0.5 * (columns[i][j] + columns[j][i])).collect()).collect();
        let pairs = eigen(symmetric);
        let estimate = f.weight_direction(8, 0)?;
        gradient(&f, Loss::CrossEntropy)?;
        let values = measured(&f, Measure { hessian: 1, hessian_top: TOP, ..never() }, &estimate, None);
        let close = |quantity, expected: f64| {
            let value = found(&values, Key::whole(quantity));
            assert!(
                (value - expected).abs() < 1e-4 * expected.abs(),
                "{model} {quantity:?}: {value}, expected {expected}"
            );
        };
        close(Quantity::HessianLargest, pairs[0].0);
        close(Quantity::HessianLast, pairs[TOP - 1].0);
        let share = |a: &[f64]| pairs[..TOP].iter().map(|(_, u)| dot(u, a).powi(2)).sum::<f64>() / dot(a, a);
        close(Quantity::HessianGradient, share(&f.gradient()));
        close(Quantity::HessianEstimate, share(&flatten(&estimate)));
        close(Quantity::HessianRandom, TOP as f64 / n as f64);
        assert!(found(&values, Key::whole(Quantity::HessianResidual)) <= 1e-4);
    }
    Ok(())
}
