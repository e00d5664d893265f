//! Debiasing through the libraries: at scope `example-layer` the mean of ĝ is the gradient for the ridge regression of the true signals
//! on the rows that guesses are made of, and tends to that for their projection on these rows.

use crate::fixture::{Fixture, MLP, TANH};
use crate::sampled::{Params, activations, both_masks, distance, found, mean_through, way_down};
use candle_core::Result;
use guesswork::estimate::Settings;
use guesswork::model::Extent;
use guesswork::workspace::{ParamValue, Scope};

const DRAWS: u64 = 4000;

fn check(f: &Fixture, strategy: &str, params: Params, expected: &[f64], draws: u64) {
    let found = found(f, strategy, params, Settings::plain(Scope::ExampleLayer), (0, draws));
    found.assert_mean(expected, &format!("{strategy} {params:?}"));
}

fn debias(ridge: f64) -> (&'static str, ParamValue) {
    ("debias", ParamValue::Float(ridge))
}

fn depth(layers: i64) -> (&'static str, ParamValue) {
    ("depth", ParamValue::Int(layers))
}

/// E[ĝ row] = Aᵀ(AAᵀ + ρI)⁻¹A δ, whatever ρ.
#[test]
fn a_finite_ridge_leaves_the_mean_of_the_ridge_regression() -> Result<()> {
    let ridge = 0.3;
    let inverse = |x: f64| (x.max(0.0) + ridge).recip();
    for model in [MLP, TANH] {
        let f = Fixture::new(model, Extent::image(1, 2, 3), 3, 6, 101)?;
        for layers in [1, 2] {
            let expected = mean_through(&f, |site, i| way_down(&f, site, i, layers), inverse)?;
            assert!(distance(&expected, &f.gradient()) > 0.02, "depth {layers}: the ridge is to be seen");
            check(&f, "weight-transpose", &[debias(ridge), depth(layers as i64)], &expected, DRAWS);
        }
        let expected = mean_through(&f, |site, i| both_masks(&f, site, i), inverse)?;
        check(&f, "downstream", &[debias(ridge)], &expected, DRAWS);
        let expected = mean_through(&f, |site, i| way_down(&f, site, i, 3), inverse)?;
        check(&f, "jacobian-transpose", &[debias(ridge)], &expected, DRAWS);
        for (shared, centred) in [(false, false), (true, false), (false, true), (true, true)] {
            let expected = mean_through(&f, |site, i| activations(&f, site, i, centred), inverse)?;
            let params = [debias(ridge), ("shared", ParamValue::Bool(shared)), ("centred", ParamValue::Bool(centred))];
            check(&f, "activation-mixing", &params, &expected, DRAWS);
        }
    }
    Ok(())
}

/// True signals come down the way that noise does, so that they lie in its span: E[ĝ] → g on any architecture, at any depth.
#[test]
fn transposes_with_a_small_ridge_are_unbiased_on_every_architecture() -> Result<()> {
    let image = Extent::image(1, 4, 4);
    for (model, draws) in [
        (MLP, DRAWS),
        (TANH, DRAWS),
        ("conv((layers: [(channels: 2, pool: max(2)), (channels: 3, pool: average(2))], activation: tanh))", 1500),
        ("resnet((stages: [(channels: 2, blocks: 1)], groups: 1))", 1000),
        ("mixer((patch: 2, width: 3, blocks: 1, token_hidden: 2, channel_hidden: 3))", 1000),
    ] {
        let f = Fixture::new(model, image, 3, 4, 102)?;
        for params in [&[debias(1e-9)][..], &[debias(1e-9), depth(2)]] {
            check(&f, "weight-transpose", params, &f.gradient(), draws);
        }
        check(&f, "downstream", &[debias(1e-9)], &f.gradient(), draws);
    }
    Ok(())
}

/// The activations of a batch span what they span: E[ĝ] tends to the gradient for the true signals' part in it, which is all of them where
/// there are as many independent activations as units.
#[test]
fn activation_mixing_with_a_small_ridge_keeps_the_true_signals_part_in_its_span() -> Result<()> {
    let pseudo_inverse = |x: f64| if x > 1e-9 { x.recip() } else { 0.0 };
    for model in [MLP, TANH] {
        let f = Fixture::new(model, Extent::image(1, 2, 3), 3, 3, 103)?;
        for centred in [false, true] {
            let expected = mean_through(&f, |site, i| activations(&f, site, i, centred), pseudo_inverse)?;
            // A rectifier may leave as few units active as there are examples.
            let lost = distance(&expected, &f.gradient());
            assert!(model == MLP || lost > 0.01, "three examples are to span too little: {lost}");
            check(&f, "activation-mixing", &[debias(1e-10), ("centred", ParamValue::Bool(centred))], &expected, DRAWS);
        }
    }
    let f = Fixture::new(TANH, Extent::image(1, 2, 3), 3, 9, 104)?;
    check(&f, "activation-mixing", &[debias(1e-10)], &f.gradient(), DRAWS);
    Ok(())
}
