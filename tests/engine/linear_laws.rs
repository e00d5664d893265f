//! Laws of the guesses that are linear in normal noise, E_i = ε_i A_i, through their libraries: at scope `example-layer` the mean
//! of ĝ is the gradient for the signals A_iᵀA_i δ_i, or for those of a function of A_i that the strategy makes of it.

use crate::fixture::{Fixture, MLP, TANH};
use crate::sampled::{
    Params, Rows, activations, both_masks, distance, found, mask, masked, mean_through, of_gram, product, way_down,
    weight_above,
};
use candle_core::Result;
use guesswork::estimate::Settings;
use guesswork::model::Extent;
use guesswork::workspace::{ParamValue, Scope};

const DRAWS: u64 = 4000;

fn fixtures(batch: usize, seed: u64) -> Result<Vec<Fixture>> {
    [MLP, TANH].iter().map(|model| Fixture::new(model, Extent::image(1, 2, 3), 3, batch, seed)).collect()
}

fn check(f: &Fixture, strategy: &str, params: Params, expected: &[f64]) {
    let found = found(f, strategy, params, Settings::plain(Scope::ExampleLayer), (0, DRAWS));
    found.assert_mean(expected, &format!("{strategy} {params:?}"));
}

/// E[ĝ row] = D WᵀW D δ, and with the weights and masks of every layer that noise passes where it starts further up.
#[test]
fn the_weight_transpose_is_biased_by_the_weights_that_noise_passes() -> Result<()> {
    for f in fixtures(6, 81)? {
        for depth in [1, 2, 3] {
            let expected = mean_through(&f, |site, i| way_down(&f, site, i, depth), |_| 1.0)?;
            assert!(distance(&expected, &f.gradient()) > 0.1, "depth {depth}: the law is not that of no bias");
            check(&f, "weight-transpose", &[("depth", ParamValue::Int(depth as i64))], &expected);
        }
    }
    Ok(())
}

/// E[ĝ row] = D Wᵀ M_{l+1}² W D δ.
#[test]
fn downstream_is_biased_by_the_weight_between_two_masks() -> Result<()> {
    for f in fixtures(6, 82)? {
        let expected = mean_through(&f, |site, i| both_masks(&f, site, i), |_| 1.0)?;
        check(&f, "downstream", &[], &expected);
    }
    Ok(())
}

/// E[ĝ row] = D W_{l+1}ᵀ … W_LᵀW_L … W_{l+1} D δ with the masks between: the noise of all layers is one draw, and every layer's own
/// scalar sees its own guess alone.
#[test]
fn the_jacobian_transpose_is_biased_by_the_whole_way_down() -> Result<()> {
    for f in fixtures(6, 83)? {
        let expected = mean_through(&f, |site, i| way_down(&f, site, i, 3), |_| 1.0)?;
        check(&f, "jacobian-transpose", &[], &expected);
    }
    Ok(())
}

/// E[ĝ row] = D (XᵀX/B) D δ, X less its mean where `centred`. One mixture for all examples changes nothing at this scope: an example's
/// scalar sees its own guess alone.
#[test]
fn activation_mixing_is_biased_by_the_second_moment_of_the_activations() -> Result<()> {
    for f in fixtures(4, 84)? {
        for (shared, centred) in [(false, false), (true, false), (false, true), (true, true)] {
            let expected = mean_through(&f, |site, i| activations(&f, site, i, centred), |_| 1.0)?;
            let params = [("shared", ParamValue::Bool(shared)), ("centred", ParamValue::Bool(centred))];
            check(&f, "activation-mixing", &params, &expected);
        }
    }
    Ok(())
}

/// Noise passes its mask on the way out and again in the scalar: E[ĝ row] = M² δ, which is δ for masks of zeros and ones.
#[test]
fn activity_perturbation_is_biased_by_the_square_of_its_mask() -> Result<()> {
    let diagonal = |m: Vec<f64>| {
        masked((0..m.len()).map(|r| (0..m.len()).map(|c| f64::from(u8::from(r == c))).collect()).collect(), &m)
    };
    for f in fixtures(6, 80)? {
        let squared = mean_through(&f, |site, i| diagonal(mask(&f, site, i)), |_| 1.0)?;
        for (word, expected) in [("none", f.gradient()), ("active", f.gradient()), ("derivative", squared)] {
            check(&f, "activity-perturbation", &[("mask", ParamValue::Text(word.to_owned()))], &expected);
        }
    }
    Ok(())
}

/// The weight whitened by itself, then masked: (WWᵀ + σI)^{−1/2} W diag(M_l).
fn whitened_outside(f: &Fixture, site: usize, i: usize, sigma: f64) -> Rows {
    let w = weight_above(f, site);
    masked(product(&of_gram(&w, |x| (x + sigma).sqrt().recip()), &w), &mask(f, site, i))
}

/// E[ĝ row] = D Wᵀ (W D² Wᵀ + σI)^{−1} W D δ with the mask inside, W replaced by diag(M_{l+1}) W with both; D Wᵀ (WWᵀ + σI)^{−1} W D δ
/// with it outside.
#[test]
fn whitening_at_a_finite_ridge_has_the_mean_of_the_ridge_regression() -> Result<()> {
    let sigma = 0.3;
    let params = |mask: &str| {
        let iterations = if mask == "outside" { 40 } else { 16 };
        [
            ("sigma", ParamValue::Float(sigma)),
            ("mask", ParamValue::Text(mask.to_owned())),
            ("iterations", ParamValue::Int(iterations)),
        ]
    };
    let ridge = |x: f64| (x.max(0.0) + sigma).recip();
    for f in fixtures(6, 85)? {
        let inside = mean_through(&f, |site, i| way_down(&f, site, i, 1), ridge)?;
        check(&f, "whitened", &params("inside"), &inside);
        let both = mean_through(&f, |site, i| both_masks(&f, site, i), ridge)?;
        check(&f, "whitened", &params("both"), &both);
        let outside = mean_through(&f, |site, i| whitened_outside(&f, site, i, sigma), |_| 1.0)?;
        check(&f, "whitened", &params("outside"), &outside);
        // Far enough from one another that no mean could pass for another.
        assert!(distance(&inside, &f.gradient()) > 0.02 && distance(&inside, &outside) > 0.02);
    }
    Ok(())
}
