//! Whole architectures: tangent against adjoint, pull-back, prefixes of tangents, building from a workspace.

use super::reference::{ACTIVATIONS, Golden, forward};
use super::support::{assert_close, assert_near, random};
use candle_core::{DType, Device, Tensor};
use guesswork::kernel;
use guesswork::model::build::{BuildError, build, describe, input_extent};
use guesswork::model::{Extent, Network, Tape};
use guesswork::objective::Loss;
use guesswork::workspace::ModelSpec;
use std::slice::from_ref;
use std::sync::Arc;

fn model(text: &str) -> ModelSpec {
    ron::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Architectures with every layer in some place, with the data they take.
pub fn architectures() -> Vec<(&'static str, Extent)> {
    vec![
        ("mlp((hidden: [9, 7, 7], activation: tanh))", Extent::dense(12)),
        ("mlp((hidden: [8, 8, 8], activation: gelu, norm: true, residual: true))", Extent::dense(8)),
        ("mlp((hidden: []))", Extent::image(2, 3, 3)),
        (
            "conv((layers: [(channels: 4, pool: max(2)), (channels: 3, stride: 2, pool: average(2))]))",
            Extent::image(3, 9, 8),
        ),
        (
            "conv((layers: [(channels: 4), (channels: 6)], groups: 2, hidden: [5, 4], activation: leaky_relu))",
            Extent::image(2, 5, 4),
        ),
        (
            "resnet((stages: [(channels: 4, blocks: 2), (channels: 6, blocks: 1, stride: 2)], groups: 2))",
            Extent::image(3, 6, 5),
        ),
        ("mixer((patch: 2, width: 6, blocks: 2, token_hidden: 5, channel_hidden: 7))", Extent::image(3, 4, 6)),
        ("local_mixer((patch: 2, width: 12, groups: 2, blocks: 2))", Extent::image(3, 4, 6)),
        ("transformer((patch: 2, width: 6, blocks: 2, heads: 3, hidden: 7))", Extent::image(3, 4, 6)),
    ]
}

const BATCH: usize = 4;
const CLASSES: usize = 5;

fn run(text: &str, data: Extent, dtype: DType) -> (Network, Tape, Tensor) {
    let spec = model(text);
    let graph = build(&spec, data, CLASSES).unwrap();
    assert_eq!(graph.input, input_extent(&spec, data));
    let network = Network::new(Arc::new(graph), dtype, &Device::Cpu, 3).unwrap();
    let input = network.graph().input;
    let x = random(BATCH * input.rows, input.width, 5).to_dtype(dtype).unwrap();
    let tape = Tape::new(Arc::clone(network.graph()), BATCH, dtype, &Device::Cpu).unwrap();
    tape.forward(network.theta(), &x, None, |_| Ok::<_, candle_core::Error>(())).unwrap();
    let labels = Tensor::new(&[0f64, 2.0, 4.0, 2.0], &Device::Cpu).unwrap().reshape((BATCH, 1)).unwrap();
    let signal = tape.logits().zeros_like().unwrap();
    Loss::CrossEntropy.evaluate(tape.logits(), &labels.to_dtype(dtype).unwrap(), Some(&signal)).unwrap();
    tape.adjoint(network.theta(), from_ref(&signal), None).unwrap();
    (network, tape, signal)
}

fn guesses(network: &Network, guesses: usize, seed: u64) -> Vec<Option<Tensor>> {
    let graph = network.graph();
    let sites = graph.sites.iter().zip(seed..).map(|(site, seed)| {
        let extent = graph.nodes[site.node].extent;
        Some(random(guesses * BATCH * extent.rows, extent.width, seed))
    });
    sites.collect()
}

/// To move X_l by M_l ⊙ E is to move S_l by E, where an activation follows; elsewhere both are the same.
#[test]
fn activations_that_move_carry_the_logits_as_what_moves_them_does() {
    for (text, data) in architectures() {
        let (network, tape, _) = run(text, data, DType::F64);
        let mut injection = guesses(&network, 1, 23);
        injection.iter_mut().skip(1).step_by(3).for_each(|site| *site = None);
        // What is injected at the logits moves them by itself.
        let moved: Vec<Option<Tensor>> = injection
            .iter()
            .enumerate()
            .map(|(site, e)| {
                let e = e.as_ref()?.copy().unwrap();
                tape.derivative(site).inspect(|mask| kernel::hadamard_assign(&e, mask).unwrap());
                Some(e)
            })
            .collect();
        let outputs = &network.graph().outputs;
        let expected = tape.tangent(network.theta(), &injection, 1, false, outputs).unwrap()[0].copy().unwrap();
        let found = tape.logits().zeros_like().unwrap();
        let moved: Vec<Option<&Tensor>> = moved.iter().map(Option::as_ref).collect();
        tape.logit_tangent(network.theta(), &moved, &found).unwrap();
        assert_close(text, &found, &expected, 1e-12);
    }
}

#[test]
fn tangents_of_injected_guesses_equal_the_inner_products_with_the_signals() {
    for (text, data) in architectures() {
        let (network, tape, signal) = run(text, data, DType::F64);
        let (k, sites) = (3, network.graph().sites.len());
        let injection = guesses(&network, k, 17);
        // d[site][guess][example] = ⟨δ, E⟩ over the example's rows.
        let expected: Vec<Vec<f64>> = (0..sites)
            .map(|site| {
                let rows = tape.pre_activation(site).dims()[0] / BATCH;
                kernel::group_dot(injection[site].as_ref().unwrap(), tape.signal(site).unwrap(), rows).unwrap()
            })
            .collect();
        let separate = tape.tangent(network.theta(), &injection, k, true, &tape.graph().outputs).unwrap().remove(0);
        let found = kernel::group_dot(&separate, &signal, 1).unwrap();
        for (site, expected) in expected.iter().enumerate() {
            let scale = expected.iter().fold(0f64, |scale, d| scale.max(d.abs()));
            for (index, expected) in expected.iter().enumerate() {
                let found = found[site * k * BATCH + index];
                assert!((found - expected).abs() <= 1e-10 * scale, "{text} site {site}: {found} against {expected}");
            }
        }
        let together = tape.tangent(network.theta(), &injection, k, false, &tape.graph().outputs).unwrap().remove(0);
        let found = kernel::group_dot(&together, &signal, 1).unwrap();
        for (index, found) in found.iter().enumerate() {
            let parts: Vec<f64> = expected.iter().map(|site| site[index]).collect();
            let scale: f64 = parts.iter().map(|d| d.abs()).sum();
            assert!((found - parts.iter().sum::<f64>()).abs() <= 1e-10 * scale, "{text} example {index}");
        }
    }
}

#[test]
fn tangents_with_missing_sites_are_those_of_zeros() {
    for (text, data) in architectures() {
        let (network, tape, _) = run(text, data, DType::F64);
        let mut some = guesses(&network, 2, 23);
        some.iter_mut().step_by(2).for_each(|site| *site = None);
        let zeros: Vec<Option<Tensor>> = guesses(&network, 2, 23)
            .into_iter()
            .enumerate()
            .map(|(site, e)| e.map(|e| if site % 2 == 0 { e.zeros_like().unwrap() } else { e }))
            .collect();
        for separate in [false, true] {
            let found =
                tape.tangent(network.theta(), &some, 2, separate, &tape.graph().outputs).unwrap()[0].copy().unwrap();
            let expected = tape.tangent(network.theta(), &zeros, 2, separate, &tape.graph().outputs).unwrap().remove(0);
            assert_close(text, &found, &expected, 1e-13);
        }
    }
}

#[test]
fn tangents_beside_the_forward_pass_are_those_after_it() {
    for (text, data) in architectures() {
        for dtype in [DType::F64, DType::F32] {
            let (network, tape, _) = run(text, data, dtype);
            let mut injection = guesses(&network, 3, 31);
            for site in injection.iter_mut().flatten() {
                *site = site.to_dtype(dtype).unwrap();
            }
            injection.iter_mut().skip(1).step_by(3).for_each(|site| *site = None);
            let input = network.graph().input;
            let x = random(BATCH * input.rows, input.width, 37).to_dtype(dtype).unwrap();
            for separate in [false, true] {
                let none = |_| Ok::<_, candle_core::Error>(());
                tape.forward(network.theta(), &x, None, none).unwrap();
                let logits = tape.logits().copy().unwrap();
                let after = tape.tangent(network.theta(), &injection, 3, separate, &tape.graph().outputs).unwrap()[0]
                    .copy()
                    .unwrap();
                let mut order = Vec::new();
                let beside = tape
                    .forward_with_tangents(network.theta(), &x, 3, separate, &tape.graph().outputs, |site| {
                        order.push(site);
                        Ok::<_, candle_core::Error>(injection[site].clone())
                    })
                    .unwrap();
                assert_eq!(order, (0..network.graph().sites.len()).collect::<Vec<_>>(), "{text}");
                // The same sums in the same order: not close, equal.
                assert_close(text, tape.logits(), &logits, 0.0);
                assert_close(text, &beside[0], &after, 0.0);
            }
        }
    }
}

#[test]
fn descent_in_the_adjoint_pass_is_gradient_then_step() {
    let rate = kernel::Rate { lr: 0.3, weight_decay: 0.01 };
    for (text, data) in architectures() {
        for dtype in [DType::F64, DType::F32] {
            let (network, tape, signal) = run(text, data, dtype);
            let gradient = network.zeros_like().unwrap();
            tape.adjoint(network.theta(), from_ref(&signal), Some(&gradient)).unwrap();
            let stepped: Vec<Tensor> = network.theta().iter().map(|theta| theta.copy().unwrap()).collect();
            let settings = kernel::Sgd { lr: rate.lr, momentum: 0.0, nesterov: false, weight_decay: rate.weight_decay };
            let mut squared = 0.0;
            for (theta, gradient) in stepped.iter().zip(&gradient) {
                kernel::sgd(theta, gradient, None, settings).unwrap();
                squared += kernel::norm_squared(gradient).unwrap();
            }
            let scratch = network.zeros_like().unwrap();
            let norm = tape.adjoint_descend(network.theta(), from_ref(&signal), &scratch, rate).unwrap();
            let tolerance = if dtype == DType::F32 { 1e-6 } else { 1e-12 };
            assert_near(&format!("{text}: norm"), norm, squared.sqrt(), tolerance);
            for (theta, expected) in network.theta().iter().zip(&stepped) {
                assert_close(text, theta, expected, 0.0);
            }
        }
    }
}

#[test]
fn central_differences_along_an_injection_equal_its_tangent() {
    let h = 1e-5;
    for (text, data) in architectures() {
        let (network, tape, _) = run(text, data, DType::F64);
        let injection = guesses(&network, 1, 29);
        let tangent =
            tape.tangent(network.theta(), &injection, 1, false, &tape.graph().outputs).unwrap()[0].copy().unwrap();
        let input = network.graph().input;
        let x = random(BATCH * input.rows, input.width, 5);
        let logits = |h: f64| {
            let none = |_| Ok::<_, candle_core::Error>(());
            tape.forward(network.theta(), &x, Some((&injection, h)), none).unwrap();
            tape.logits().copy().unwrap()
        };
        let difference = ((logits(h) - logits(-h)).unwrap() / (2.0 * h)).unwrap();
        assert_close(text, &tangent, &difference, 1e-6);
    }
}

#[test]
fn pulling_back_the_signals_that_follow_gives_the_signal() {
    for (text, data) in architectures() {
        let (network, tape, signal) = run(text, data, DType::F64);
        let graph = network.graph();
        for (site, place) in graph.sites.iter().enumerate() {
            let mut signals: Vec<&Tensor> = place.following.iter().map(|&m| tape.signal(m).unwrap()).collect();
            if signals.is_empty() {
                signals.push(&signal);
            }
            let expected = tape.signal(site).unwrap();
            let dst = random(expected.dims()[0], expected.dims()[1], 31);
            tape.pull_back(network.theta(), site, &signals, 1, &dst).unwrap();
            assert_close(&format!("{text} site {site}"), &dst, expected, 1e-12);

            // Stacked: the second block is twice the first.
            let twice: Vec<Tensor> =
                signals.iter().map(|s| Tensor::cat(&[*s, &(*s * 2.0).unwrap()], 0).unwrap()).collect();
            let dst = random(2 * expected.dims()[0], expected.dims()[1], 31);
            tape.pull_back(network.theta(), site, &twice.iter().collect::<Vec<_>>(), 2, &dst).unwrap();
            let expected = Tensor::cat(&[expected, &(expected * 2.0).unwrap()], 0).unwrap();
            assert_close(&format!("{text} site {site} stacked"), &dst, &expected, 1e-12);
        }
    }
}

#[test]
fn pulling_back_on_a_perceptron_is_the_next_weight_then_the_mask() {
    for (name, activation) in ACTIVATIONS {
        let golden = Golden::mlp(name, activation);
        let theta = golden.network.theta();
        for site in 0..golden.reference.depth() - 1 {
            let next = golden.tape.pre_activation(site + 1);
            let signal = random(next.dims()[0], next.dims()[1], 37);
            let dst = golden.tape.pre_activation(site).zeros_like().unwrap();
            golden.tape.pull_back(theta, site, &[&signal], 1, &dst).unwrap();
            let carried = signal.matmul(&theta[2 * (site + 1)]).unwrap();
            let expected = (carried * golden.reference.get(&format!("M{}", site + 1))).unwrap();
            assert_close(&format!("{name} site {site}"), &dst, &expected, 1e-12);
        }
    }
}

#[test]
fn single_precision_networks_are_close_to_double() {
    for (text, data) in architectures() {
        let (single, double) = (run(text, data, DType::F32), run(text, data, DType::F64));
        assert_close(text, single.1.logits(), double.1.logits(), 1e-5);
        for site in 0..double.0.graph().sites.len() {
            // A max pool may choose otherwise among near equals; none of these points does.
            assert_close(text, single.1.signal(site).unwrap(), double.1.signal(site).unwrap(), 1e-4);
        }
    }
}

#[test]
fn initial_parameters_depend_on_the_seed_alone() {
    let spec = model("mlp((hidden: [30], init: kaiming_uniform))");
    let graph = Arc::new(build(&spec, Extent::dense(20), 10).unwrap());
    let make = |seed| Network::new(Arc::clone(&graph), DType::F64, &Device::Cpu, seed).unwrap();
    let (a, b, other) = (make(1), make(1), make(2));
    assert_eq!(a.names(), ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
    for ((a, b), other) in a.theta().iter().zip(b.theta()).zip(other.theta()) {
        assert_close("the same seed", a, b, 0.0);
        assert!(kernel::dot(a, other).unwrap() != kernel::norm_squared(a).unwrap());
    }
    let bound = 1.0 / 20f64.sqrt();
    let largest = a.theta()[0].abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f64>().unwrap();
    assert!(largest < bound && largest > 0.95 * bound, "{largest}");
    let he = model("mlp((hidden: [400]))");
    let network =
        Network::new(Arc::new(build(&he, Extent::dense(500), 10).unwrap()), DType::F64, &Device::Cpu, 1).unwrap();
    let variance = kernel::norm_squared(&network.theta()[0]).unwrap() / (400.0 * 500.0);
    // The relative deviation of a variance from 200 000 draws is √(2/200 000) = 0.32 %; four of them.
    assert_near("He's variance", variance, 2.0 / 500.0, 0.013);
}

#[test]
fn saved_parameters_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.safetensors");
    let graph = Arc::new(build(&model(architectures()[3].0), architectures()[3].1, CLASSES).unwrap());
    let make = |seed| Network::new(Arc::clone(&graph), DType::F64, &Device::Cpu, seed).unwrap();
    let (saved, loaded) = (make(1), make(2));
    saved.save(&file).unwrap();
    loaded.load(&file).unwrap();
    for (a, b) in saved.theta().iter().zip(loaded.theta()) {
        assert_close("read back", b, a, 0.0);
    }
    let other = build(&model("mlp((hidden: [3]))"), Extent::dense(4), CLASSES).unwrap();
    let other = Network::new(Arc::new(other), DType::F64, &Device::Cpu, 1).unwrap();
    assert!(other.load(&file).unwrap_err().to_string().contains("fc1.weight"));
}

#[test]
fn names_are_those_of_the_golden_files() {
    let mixer = Golden::mixer();
    let names: Vec<&str> = mixer.network.names().iter().map(String::as_str).collect();
    assert_eq!(&names[..4], ["embed.weight", "embed.bias", "block0.norm1.weight", "block0.norm1.bias"]);
    assert!(names.contains(&"block0.token.fc1.weight") && names.ends_with(&["head.weight", "head.bias"]));
    let convolution = Golden::conv();
    assert_eq!(convolution.network.names()[0], "conv1.weight");
}

#[test]
fn descriptions_name_the_widths() {
    let data = Extent::image(1, 28, 28);
    assert_eq!(describe(&model("mlp((hidden: [128, 128, 128]))"), data, 10), "mlp 784-128-128-128-10");
    let text = "conv((layers: [(channels: 16, pool: max(2)), (channels: 32, stride: 2)]))";
    assert_eq!(describe(&model(text), data, 10), "conv 1×28×28 → 16@3×3 → max 2 → 32@3×3/2 → 10");
    let text = "mixer((patch: 4, width: 64, blocks: 2, token_hidden: 32, channel_hidden: 128))";
    assert_eq!(
        describe(&model(text), data, 10),
        "mixer 1×28×28 → 4×4 patches → 2 blocks of 64 (token 32, channel 128) → 10"
    );
    let text = "resnet((stages: [(channels: 16, blocks: 2), (channels: 32, blocks: 2, stride: 2)]))";
    assert_eq!(describe(&model(text), data, 10), "resnet 1×28×28 → 2×16 → 2×32/2 → 10 (group norm 8)");
    let text = "transformer((patch: 7, width: 64, blocks: 2, heads: 4, hidden: 128))";
    assert_eq!(
        describe(&model(text), data, 10),
        "transformer 1×28×28 → 7×7 patches → 2 blocks of 64 (4 heads, hidden 128) → 10"
    );
}

/// Parameters of a model by hand.
#[test]
fn parameter_counts_are_those_of_the_literature() {
    let count = |text: &str, data: Extent| {
        let graph = build(&model(text), data, 10).unwrap();
        let shapes = graph.nodes.iter().flat_map(|node| node.layer.parameters());
        shapes.map(|spec| spec.shape.iter().product::<usize>()).sum::<usize>()
    };
    let cifar = Extent::image(3, 32, 32);
    // Ren et al.'s M/8/16 has 918 770 with its four local heads of 512·10 + 10.
    let mixer = count("local_mixer((patch: 4, width: 512, groups: 16, blocks: 4))", cifar);
    assert_eq!(mixer + 4 * (512 * 10 + 10), 918_770);
    // He et al.'s ResNet-20, each convolution with a bias and a norm, and 1×1 convolutions where the extent changes.
    let resnet = "resnet((stages: [(channels: 16, blocks: 3), (channels: 32, blocks: 3, stride: 2), \
                  (channels: 64, blocks: 3, stride: 2)]))";
    let weights = 27 * 16 + 6 * 9 * 16 * 16 + 9 * 16 * 32 + 5 * 9 * 32 * 32 + 9 * 32 * 64 + 5 * 9 * 64 * 64;
    let shortcuts = 16 * 32 + 32 * 64;
    let channels = 7 * 16 + 7 * 32 + 7 * 64;
    assert_eq!(count(resnet, cifar), weights + shortcuts + 3 * channels + 64 * 10 + 10);
    // Pairs of 3×3 convolutions and pooling to 4×4 positions of the last channels, as in the networks of Simonyan and Zisserman.
    let vgg = "conv((layers: [(channels: 16), (channels: 16, pool: max(2)), (channels: 32), (channels: 32, pool: max(2)), \
               (channels: 64), (channels: 64, pool: max(2))], hidden: [64]))";
    let weights = 9 * (3 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64);
    let biases = 2 * (16 + 32 + 64);
    assert_eq!(count(vgg, cifar), weights + biases + 16 * 64 * 64 + 64 + 64 * 10 + 10);
    // A block: norms 4n, queries, keys and values 3n² + 3n, output n² + n, dense layers 2nh + h + n.
    let (n, h) = (64, 128);
    let block = 4 * n + 4 * n * n + 4 * n + 2 * n * h + h + n;
    let transformer = count("transformer((patch: 4, width: 64, blocks: 2, heads: 4, hidden: 128))", cifar);
    assert_eq!(transformer, (48 * n + n) + 2 * block + 2 * n + 10 * n + 10);
}

#[test]
fn impossible_architectures_are_refused() {
    let image = Extent::image(3, 8, 8);
    let refusal = |text: &str, data: Extent| build(&model(text), data, 10).unwrap_err();
    let mixer = "mixer((patch: 3, width: 4, blocks: 1, token_hidden: 4, channel_hidden: 4))";
    assert!(matches!(refusal(mixer, image), BuildError::Patch { patch: 3, height: 8, width: 8 }));
    assert!(matches!(refusal(mixer, Extent::dense(9)), BuildError::NotAnImage { model: "mixer", .. }));
    let large = "conv((layers: [(channels: 2, pool: max(4)), (channels: 2, kernel: 5)]))";
    let error = refusal(large, image);
    assert!(matches!(&error, BuildError::Window { layer, side: 5, height: 2, .. } if layer == "conv2"), "{error}");
    assert!(matches!(refusal("conv((layers: [(channels: 2, pool: max(9))]))", image), BuildError::Window { .. }));
    assert!(matches!(refusal("conv((layers: [(channels: 2, stride: 0)]))", image), BuildError::Zero { .. }));
    assert!(matches!(refusal("mlp((hidden: [4, 0]))", image), BuildError::Zero { .. }));
    let groups = [
        "conv((layers: [(channels: 4)], groups: 3))",
        "resnet((stages: [(channels: 4, blocks: 1)], groups: 3))",
        "local_mixer((patch: 2, width: 4, groups: 3, blocks: 1))",
        "transformer((patch: 2, width: 4, blocks: 1, heads: 3, hidden: 4))",
    ];
    for text in groups {
        assert!(matches!(refusal(text, image), BuildError::Groups { groups: 3, width: 4, .. }), "{text}");
    }
}

#[test]
fn another_forward_pass_on_the_same_tape_forgets_the_first() {
    let golden = Golden::mlp("tanh", ACTIVATIONS[1].1);
    let x = golden.reference.get("x");
    let other = (&x * 3.0).unwrap();
    let none = |_| Ok::<_, candle_core::Error>(());
    golden.tape.forward(golden.network.theta(), &other, None, none).unwrap();
    golden.tape.forward(golden.network.theta(), &x, None, none).unwrap();
    assert_close("logits", golden.tape.logits(), forward(&golden.network, &x).logits(), 0.0);
}
