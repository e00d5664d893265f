//! Forward pass, loss, signals, gradients and tangents of the golden vectors: at a relative error of 1e-9 in f64 on the
//! CPU, or of 1e-4 in f32 on the device that `GUESSWORK_TEST_DEVICE` names (`cpu`, `cuda:0`).

use super::reference::{ACTIVATIONS, Golden, Reference, place};
use super::strategies;
use super::support::{assert_close, assert_close_on_scale, assert_near, largest};
use candle_core::{DType, Tensor};
use guesswork::kernel;

fn tolerance() -> f64 {
    if place().1 == DType::F64 { 1e-9 } else { 1e-4 }
}

#[test]
fn perceptrons_agree_with_the_golden_vectors() {
    for (name, activation) in ACTIVATIONS {
        let golden = Golden::mlp(name, activation);
        let (loss, _, gradient) = golden.adjoint();
        assert_near(&format!("{name} loss"), loss, golden.reference.scalar("loss"), tolerance());
        for site in 0..golden.reference.depth() {
            let l = site + 1;
            let check = |what: &str, found: &Tensor| {
                let expected = golden.reference.get(&format!("{what}{l}"));
                assert_close(&format!("{name} {what}{l}"), found, &expected, tolerance());
            };
            let ones = golden.tape.pre_activation(site).ones_like().unwrap();
            // As a step runs, where most activations overwrite S, and with S kept.
            let kept = golden.kept();
            check("S", kept.pre_activation(site));
            for tape in [&golden.tape, &kept] {
                check("X", tape.activation(site));
                check("M", tape.derivative(site).unwrap_or(&ones));
            }
            check("delta", golden.tape.signal(site).unwrap());
            check("gW", &gradient[2 * site]);
            check("gb", &gradient[2 * site + 1]);
        }
    }
}

#[test]
fn weight_directions_of_guesses_agree_with_the_golden_vectors() {
    for (name, activation) in ACTIVATIONS {
        let golden = Golden::mlp(name, activation);
        let strategies = ["activity-perturbation", "weight-transpose", "downstream", "jacobian-transpose"];
        for strategy in strategies.iter().chain(&["activation-mixing", "label-guess"]) {
            let (_, signal, _) = golden.adjoint();
            let direction = golden.network.zeros_like().unwrap();
            for site in 0..golden.reference.depth() {
                let guess = golden.reference.get(&format!("{strategy}.E{}", site + 1));
                let part = &direction[2 * site..2 * site + 2];
                golden.tape.adjoint_parameters(golden.network.theta(), site, 1.0, &guess, 0.0, part).unwrap();
                let expected = golden.reference.get(&format!("{strategy}.VW{}", site + 1));
                assert_close(&format!("{name} {strategy} VW{}", site + 1), &part[0], &expected, tolerance());
                let expected = golden.reference.get(&format!("{strategy}.Vb{}", site + 1));
                assert_close(&format!("{name} {strategy} Vb{}", site + 1), &part[1], &expected, tolerance());
            }
            let injection = golden.injection(&direction);
            let tangent = golden
                .tape
                .tangent(golden.network.theta(), &injection, 1, false, &golden.tape.graph().outputs)
                .unwrap()
                .remove(0);
            let derivative = kernel::dot(&signal, &tangent).unwrap();
            let expected = golden.reference.scalar(&format!("{strategy}.d_batch"));
            assert_near(&format!("{name} {strategy} d_batch"), derivative, expected, tolerance());
        }
    }
}

fn agrees(name: &str, golden: &Golden) {
    let reference = &golden.reference;
    assert_close(&format!("{name} logits"), golden.tape.logits(), &reference.get("logits"), tolerance());
    let (loss, signal, gradient) = golden.adjoint();
    assert_near(&format!("{name} loss"), loss, reference.scalar("loss"), tolerance());
    // A bias that adds the same to all channels of a token in front of a layer norm has the gradient 0: such a one is
    // compared on the scale of the others.
    let scale = 1e-3 * gradient.iter().map(largest).fold(0.0, f64::max);
    let mut direction = Vec::new();
    for (parameter, gradient) in golden.network.names().iter().zip(&gradient) {
        let expected = reference.get(&format!("grad.{parameter}"));
        assert_close_on_scale(&format!("{name} gradient of {parameter}"), gradient, &expected, scale, tolerance());
        direction.push(reference.get(&format!("dir.{parameter}")));
    }
    let injection = golden.injection(&direction);
    let tangent = golden
        .tape
        .tangent(golden.network.theta(), &injection, 1, false, &golden.tape.graph().outputs)
        .unwrap()
        .remove(0);
    assert_close(&format!("{name} tangent of the logits"), &tangent, &reference.get("dlogits"), tolerance());
    let derivative = kernel::dot(&signal, &tangent).unwrap();
    assert_near(&format!("{name} tangent of the loss"), derivative, reference.scalar("tangent"), tolerance());
}

#[test]
fn every_tensor_of_the_files_is_compared() {
    perceptrons_agree_with_the_golden_vectors();
    weight_directions_of_guesses_agree_with_the_golden_vectors();
    strategies::strategies_reproduce_the_golden_guesses_scalars_and_estimates();
    strategies::weight_perturbation_reproduces_the_golden_scalars_and_estimates();
    agrees("conv", &Golden::conv());
    agrees("mixer", &Golden::mixer());
    for file in ["mlp_relu", "mlp_tanh", "mlp_gelu", "conv", "mixer"] {
        assert_eq!(Reference::open(file).unread(), [""; 0], "{file}");
    }
}

#[test]
fn the_convolutional_network_agrees_with_the_golden_vectors() {
    agrees("conv", &Golden::conv());
}

#[test]
fn the_mixer_agrees_with_the_golden_vectors() {
    agrees("mixer", &Golden::mixer());
}

#[test]
fn candle_operations_agree_with_the_golden_vectors() {
    kernel::with_candle(|| {
        agrees("conv", &Golden::conv());
        agrees("mixer", &Golden::mixer());
    });
}
