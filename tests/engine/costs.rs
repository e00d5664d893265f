//! FLOP of a step against counts by hand: 2 a multiply-add, F a forward pass, F⁻ without the layer that reads the data.

use crate::fixture::{CONV, Fixture, MLP};
use crate::identities::settings;
use guesswork::estimate::cost::{backprop, forward, forward_share, guess};
use guesswork::estimate::{GuessKind, Settings};
use guesswork::model::Extent;
use guesswork::workspace::{OutputSignal, ScalarSource, Scope};

/// Layers 6-5, 5-4, 4-3 on seven examples: 2·7·30, 2·7·20, 2·7·12.
const LAYERS: [u64; 3] = [420, 280, 168];
const F: u64 = 868;
const F_MINUS: u64 = 448;

fn mlp(batch: usize) -> Fixture {
    Fixture::new(MLP, Extent::image(1, 2, 3), 3, batch, 1).expect("the fixture builds")
}

fn count(batch: usize, kind: GuessKind, settings: &Settings) -> u64 {
    guess(mlp(batch).tape.graph(), batch, kind, settings)
}

#[test]
fn a_forward_pass_counts_the_products_of_its_layers() {
    let products: Vec<u64> = forward(mlp(7).tape.graph(), 7).into_iter().filter(|&flop| flop > 0).collect();
    assert_eq!(products, LAYERS);
    // 3×3 kernels: 2 → 3 channels at 8×8 positions, 3 → 4 at 4×4; a mean over 2×2 leaves 2×2·4 inputs for three classes.
    let conv = Fixture::new(CONV, Extent::image(2, 8, 8), 3, 1, 1).expect("the fixture builds");
    let products: Vec<u64> = forward(conv.tape.graph(), 5).into_iter().filter(|&flop| flop > 0).collect();
    assert_eq!(products, [2 * 5 * 64 * 18 * 3, 2 * 5 * 16 * 27 * 4, 2 * 5 * 16 * 3]);
}

#[test]
fn backpropagation_takes_two_forward_passes_and_one_without_the_first_layer() {
    assert_eq!(backprop(mlp(7).tape.graph(), 7), 2 * F + F_MINUS);
}

#[test]
fn directions_of_weights_take_a_product_more_a_layer_and_no_outer_product() {
    let weight = |scope, guesses| count(7, GuessKind::Weight, &settings(scope, guesses));
    assert_eq!(weight(Scope::Batch, 1), 2 * F + F_MINUS);
    assert_eq!(weight(Scope::Batch, 3), F + 3 * (F + F_MINUS));
    // A tangent a layer, prefixes shared: the second layer carries one, the third two.
    assert_eq!(weight(Scope::Layer, 1), 2 * F + 280 + 2 * 168);
    assert_eq!(weight(Scope::Layer, 3), F + 3 * (F + 280 + 2 * 168));
}

/// Beside the forward pass go the tangents of the guesses that are under way with it, and for weights J = X̃Vᵀ of each.
#[test]
fn the_forward_pass_has_its_share_of_what_goes_through_the_layers_with_it() {
    let share = |kind, settings: Settings| forward_share(mlp(7).tape.graph(), 7, kind, &settings);
    let of = |all: u64| F as f64 / all as f64;
    assert_eq!(share(GuessKind::Weight, settings(Scope::Batch, 1)), of(2 * F + F_MINUS));
    assert_eq!(share(GuessKind::Weight, settings(Scope::Batch, 3)), of(F + 3 * (F + F_MINUS)));
    let signals = settings(Scope::Example, 8);
    assert_eq!(share(GuessKind::Signal, signals), of(F + 8 * F_MINUS));
    assert_eq!(share(GuessKind::Signal, Settings { at_once: Some(2), ..signals }), of(F + 2 * F_MINUS));
}

#[test]
fn guesses_of_signals_share_the_outer_product_of_their_sum() {
    let signal = |scope, guesses| count(7, GuessKind::Signal, &settings(scope, guesses));
    assert_eq!(signal(Scope::Example, 1), 2 * F + F_MINUS);
    assert_eq!(signal(Scope::Example, 8), 2 * F + 8 * F_MINUS);
    assert_eq!(signal(Scope::ExampleLayer, 1), 2 * F + 280 + 2 * 168);
    assert_eq!(signal(Scope::ExampleLayer, 8), 2 * F + 8 * (280 + 2 * 168));
}

#[test]
fn directions_from_signals_are_formed_or_taken_through_the_identity_whichever_is_less() {
    let signal = |batch, scope, guesses| count(batch, GuessKind::Signal, &settings(scope, guesses));
    // Seven rows are more than 2nm/(2n + m) of every layer: E_lᵀX and XV_lᵀ a layer, the update adds up what is there.
    assert_eq!(signal(7, Scope::Batch, 1), F + 2 * F + F_MINUS);
    assert_eq!(signal(7, Scope::Layer, 1), F + 2 * F + 280 + 2 * 168);
    assert_eq!(signal(7, Scope::Batch, 2), F + 2 * (2 * F + F_MINUS));
    // One row: r(r + 1)m + 2r²n a layer, m inputs and n outputs, and the outer product.
    let identity = 2 * (6 + 5) + 2 * (5 + 4) + 2 * (4 + 3);
    assert_eq!(signal(1, Scope::Batch, 1), F / 7 + identity + F_MINUS / 7 + F / 7);
}

#[test]
fn differences_take_two_losses_a_guess_and_scalar_or_one() {
    let central = |kind, scope, guesses| {
        let settings = Settings { source: ScalarSource::Central(1e-3), ..settings(scope, guesses) };
        count(7, kind, &settings)
    };
    assert_eq!(central(GuessKind::Weight, Scope::Batch, 1), F + 2 * F);
    assert_eq!(central(GuessKind::Weight, Scope::Layer, 2), F + 2 * 2 * 3 * F);
    assert_eq!(central(GuessKind::Signal, Scope::Example, 2), F + 2 * 2 * F + F);
    // Two losses each of two guesses, and their directions formed.
    assert_eq!(central(GuessKind::Signal, Scope::Batch, 2), F + 2 * 2 * F + 2 * F);
    let bare = |source, kind, scope| count(7, kind, &Settings { source, ..settings(scope, 2) });
    let one_sided = ScalarSource::OneSided(1e-3);
    assert_eq!(bare(one_sided, GuessKind::Weight, Scope::Batch), F + 2 * F);
    assert_eq!(bare(one_sided, GuessKind::Signal, Scope::ExampleLayer), F + 2 * 3 * F + F);
    for scope in [Scope::Batch, Scope::Layer, Scope::Example, Scope::ExampleLayer] {
        assert_eq!(bare(ScalarSource::None, GuessKind::Signal, scope), F + F);
    }
    assert_eq!(bare(ScalarSource::None, GuessKind::Weight, Scope::Batch), F);
}

#[test]
fn an_exact_output_signal_adds_its_outer_product_and_an_estimate_adds_nothing() {
    let exact = |scope| Settings { output: OutputSignal::Exact, ..settings(scope, 1) };
    let signal = |settings: &Settings| count(7, GuessKind::Signal, settings);
    assert_eq!(signal(&exact(Scope::Batch)), signal(&settings(Scope::Batch, 1)) + 168);
    assert_eq!(signal(&exact(Scope::Example)), signal(&settings(Scope::Example, 1)));
    assert_eq!(count(7, GuessKind::Estimate, &settings(Scope::Batch, 1)), F);
}
