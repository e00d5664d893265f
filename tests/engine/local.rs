//! Losses of a model's blocks: whose gradient is trained, what shares a scalar, and that nothing else changes.

use crate::cases::{Place, cases as strategies};
use crate::fixture::{CONV, Fixture, MLP, dot, flatten};
use crate::proposer::Proposer;
use crate::support::assert_close;
use candle_core::{DType, Device, Result, Tensor};
use guesswork::estimate::{Directions, Estimator, GuessKind, Settings, cost};
use guesswork::kernel;
use guesswork::model::{Extent, Network, build};
use guesswork::objective::Loss;
use guesswork::workspace::{LossesSpec, ModelSpec, Normalise, OutputSignal, Scope};
use std::sync::Arc;

const CLASSES: usize = 3;
const BATCH: usize = 4;

fn local(greedy: bool, patches: bool, groups: usize) -> LossesSpec {
    LossesSpec::Local { greedy, patches, groups, aggregate: false }
}

/// Networks with losses of every form.
pub fn cases() -> Vec<(&'static str, LossesSpec, Extent)> {
    let image = Extent::image(2, 4, 4);
    let mixer = "local_mixer((patch: 2, width: 12, groups: 2, blocks: 3, activation: tanh))";
    let transformer = "transformer((patch: 2, width: 6, blocks: 2, heads: 3, hidden: 7))";
    let resnet = "resnet((stages: [(channels: 4, blocks: 2)], groups: 2, activation: tanh))";
    let mut all = vec![
        ("mlp((hidden: [6, 4], activation: tanh))", local(true, false, 2), Extent::image(1, 2, 3)),
        (CONV, local(true, true, 1), Extent::image(2, 8, 8)),
        (resnet, local(true, false, 2), image),
        (transformer, local(true, true, 1), image),
        ("mixer((patch: 2, width: 6, blocks: 2, token_hidden: 5, channel_hidden: 7))", local(true, false, 1), image),
    ];
    for greedy in [true, false] {
        all.extend([(false, 1), (true, 1), (false, 3), (true, 3)].map(|(p, g)| (mixer, local(greedy, p, g), image)));
    }
    all
}

fn fixture(case: &(&str, LossesSpec, Extent)) -> Fixture {
    Fixture::with(case.0, case.1, case.2, CLASSES, BATCH, 31).unwrap()
}

/// The sum of the losses that a part is trained by, at other parameters.
fn loss_of(f: &Fixture, part: usize, theta: &[Tensor]) -> Result<f64> {
    f.tape.forward(theta, &f.data, None, |_| Ok::<(), candle_core::Error>(()))?;
    let found = Loss::CrossEntropy.evaluate_all(&f.tape.outputs(), &f.labels, None)?;
    let graph = f.network.graph();
    let losses = found.local.iter().chain([&found.loss]).enumerate();
    Ok(losses.filter(|(output, _)| graph.part_of(*output) == part).map(|(_, loss)| loss).sum())
}

/// Along any direction in a part's parameters the gradient says how the part's own losses change: central differences, relative
/// error 1e-6. Greedy blocks are parts of their own; otherwise all blocks are one, and what reads them out another.
#[test]
fn the_gradient_of_a_part_is_that_of_its_own_losses() -> Result<()> {
    for case in cases() {
        let f = fixture(&case);
        let graph = f.network.graph();
        let LossesSpec::Local { greedy, .. } = case.1 else { panic!("the case has local losses") };
        let blocks = graph.outputs.len() - 1;
        assert_eq!(graph.parts.len(), if greedy { blocks + 1 } else { 2 }, "{case:?}");
        let direction = f.weight_direction(5, 0)?;
        for (part, sites) in graph.parts.iter().enumerate() {
            let moved = f.network.zeros_like()?;
            let mut slope = 0.0;
            for &site in sites {
                let node = graph.site_node(site);
                for index in node.first_parameter..node.first_parameter + node.parameters {
                    kernel::copy(&moved[index], &direction[index])?;
                    slope += kernel::dot(&f.gradient[index], &direction[index])?;
                }
            }
            let h = 1e-5;
            let at = |t: f64| -> Result<f64> {
                let theta: Vec<Tensor> = f.network.theta().iter().map(Tensor::copy).collect::<Result<_>>()?;
                theta.iter().zip(&moved).try_for_each(|(theta, v)| kernel::axpy(theta, t, v))?;
                loss_of(&f, part, &theta)
            };
            let difference = (at(h)? - at(-h)?) / (2.0 * h);
            assert!(
                (slope - difference).abs() < 1e-6 * slope.abs().max(0.01),
                "{case:?}, part {part}: {slope} {difference}"
            );
        }
    }
    Ok(())
}

/// ⟨ĝ, g⟩ = Σ d²/K at the scopes with one scalar a part or layer; and every strategy runs at every scope, or is refused.
#[test]
fn all_strategies_run_on_local_losses_with_exact_scalars() -> Result<()> {
    let models = cases().into_iter().step_by(2).chain([cases()[5]]);
    let strategies = strategies();
    for model in models {
        let f = fixture(&model);
        let graph = f.network.graph();
        let errors: Vec<Tensor> =
            f.deltas.iter().map(|delta| delta * (delta.elem_count() / CLASSES) as f64).collect::<Result<_>>()?;
        for case in &strategies {
            for scope in [Scope::Batch, Scope::Layer, Scope::Example, Scope::ExampleLayer] {
                if case.refusal(&Place { chain: false, outputs: graph.outputs.len(), scope }).is_some() {
                    continue;
                }
                let normalise = if case.weight { Normalise::None } else { Normalise::Row };
                let settings = Settings { guesses: 2, normalise, ..Settings::plain(scope) };
                let mut proposer = Proposer::new(case.id, &case.params, settings, &f.network, &f.tape);
                proposer.set_errors(errors.clone());
                proposer.set_labels(f.labels.clone());
                let mut estimator = proposer.estimator(&f.tape, &f.network);
                proposer.propose(&f.network, &f.tape, &f.data, 0, &estimator);
                let estimate = f.network.zeros_like()?;
                proposer.estimate(f.point(), &mut estimator, &estimate);
                let what = format!("{model:?} {} {:?} {scope:?}", case.id, case.params);
                assert!(flatten(&estimate).iter().all(|value| value.is_finite()), "{what}");
                let d = &estimator.scalars().values;
                let groups = if settings.per_layer() { graph.sites.len() } else { graph.parts.len() };
                assert_eq!(d.len(), 2 * groups * if settings.per_example() { BATCH } else { 1 }, "{what}");
                if matches!(scope, Scope::Batch | Scope::Layer) {
                    let inner = dot(&flatten(&estimate), &f.gradient());
                    let expected: f64 = d.iter().map(|d| d * d).sum::<f64>() / 2.0;
                    assert!((inner / expected - 1.0).abs() < 1e-9, "{what}: {inner} not {expected}");
                }
            }
        }
    }
    Ok(())
}

/// With as many directions as parameters, one scalar a part, their span is all: ĝ = g.
#[test]
fn the_span_of_enough_directions_holds_the_gradient_of_every_part() -> Result<()> {
    let f = Fixture::with("mlp((hidden: [3]))", local(true, false, 1), Extent::dense(2), 2, BATCH, 8)?;
    let guesses = f.gradient().len();
    let settings = Settings { guesses, combine: guesswork::workspace::Combine::Span, ..Settings::plain(Scope::Batch) };
    let mut estimator = Estimator::new(settings, GuessKind::Weight, &f.tape, f.network.theta())?;
    let directions: Vec<Vec<Tensor>> = (0..guesses).map(|k| f.weight_direction(9, k as u64)).collect::<Result<_>>()?;
    let estimate = f.network.zeros_like()?;
    estimator.derive(f.point(), Directions::Weight(&directions))?;
    estimator.combine(f.point(), Directions::Weight(&directions), &estimate)?;
    for (estimate, gradient) in estimate.iter().zip(&f.gradient) {
        assert_close("span", estimate, gradient, 1e-9);
    }
    Ok(())
}

/// `output: exact` trains every head by its exact gradient.
#[test]
fn exact_outputs_are_exact_at_every_head() -> Result<()> {
    for case in cases() {
        let f = fixture(&case);
        for scope in [Scope::ExampleLayer, Scope::Batch] {
            let settings = Settings { output: OutputSignal::Exact, ..Settings::plain(scope) };
            let mut estimator = Estimator::new(settings, GuessKind::Signal, &f.tape, f.network.theta())?;
            let (guesses, estimate) = (f.signal_guesses(1, 3, 0)?, f.network.zeros_like()?);
            estimator.derive(f.point(), Directions::Signal(&guesses))?;
            estimator.combine(f.point(), Directions::Signal(&guesses), &estimate)?;
            let graph = f.network.graph();
            for site in graph.sites.iter().filter(|site| site.output.is_some()) {
                let node = &graph.nodes[site.node];
                let range = node.first_parameter..node.first_parameter + node.parameters;
                for (estimate, gradient) in estimate[range.clone()].iter().zip(&f.gradient[range]) {
                    assert_close(&node.name, estimate, gradient, 1e-12);
                }
            }
        }
    }
    Ok(())
}

/// The tangents that go along with the forward pass are those of the pass after it, to the bit.
#[test]
fn tangents_beside_the_forward_pass_are_those_after_it() -> Result<()> {
    for case in cases() {
        let f = fixture(&case);
        let (theta, guesses, outputs) = (f.network.theta(), 2, &f.network.graph().outputs[..]);
        let injection: Vec<Option<Tensor>> = f.signal_guesses(guesses, 4, 0)?.into_iter().map(Some).collect();
        for separate in [false, true] {
            let after = f.tape.tangent(theta, &injection, guesses, separate, outputs)?;
            let after: Vec<Tensor> = after.iter().map(Tensor::copy).collect::<Result<_>>()?;
            let beside = f.tape.forward_with_tangents(theta, &f.data, guesses, separate, outputs, |site| {
                Ok::<_, candle_core::Error>(injection[site].clone())
            })?;
            assert_eq!(after.len(), beside.len());
            for (beside, after) in beside.iter().zip(&after) {
                assert_close(&format!("{case:?} {separate}"), beside, after, 0.0);
            }
        }
    }
    Ok(())
}

/// Heads come to the network; what it has without them begins as it does without them. The counts are those of LocalMixer M/8/16.
#[test]
fn heads_are_counted_and_leave_the_rest_as_it_is() -> Result<()> {
    let model: ModelSpec = ron::from_str("local_mixer((patch: 4, width: 512, groups: 16, blocks: 4))").unwrap();
    let network = |losses: LossesSpec| {
        let graph = build::build_with(&model, losses, Extent::image(3, 32, 32), 10).unwrap();
        Network::new(Arc::new(graph), DType::F32, &Device::Cpu, 7)
    };
    let (plain, heads) = (network(LossesSpec::Global)?, network(local(true, true, 1))?);
    assert_eq!((plain.parameter_count(), heads.parameter_count()), (898_250, 918_770));
    assert_eq!(network(local(true, false, 16))?.parameter_count(), 898_250 + 4 * 16 * (32 * 10 + 10));
    for (name, theta) in plain.names().iter().zip(plain.theta()) {
        let place = heads.names().iter().position(|other| other == name).expect("it is there with heads too");
        assert_close(name, &heads.theta()[place], theta, 0.0);
    }
    Ok(())
}

/// A head costs its product, and behind a border nothing is carried: F⁻ leaves out the first layer of every block.
#[test]
fn borders_save_what_is_not_carried() -> Result<()> {
    let f = Fixture::with(MLP, local(true, false, 1), Extent::image(1, 2, 3), CLASSES, BATCH, 1)?;
    let product = |inputs: u64, outputs: u64| 2 * BATCH as u64 * inputs * outputs;
    let (first, second) = (product(6, 5) + product(5, 3), product(5, 4) + product(4, 3));
    let whole = first + second + product(4, 3);
    let heads = product(5, 3) + product(4, 3);
    assert_eq!(cost::backprop(f.network.graph(), BATCH), 2 * whole + heads);
    Ok(())
}

#[test]
fn losses_that_do_not_fit_a_model_are_refused() {
    let refused = |model: &str, losses: LossesSpec| {
        let model: ModelSpec = ron::from_str(model).unwrap();
        build::build_with(&model, losses, Extent::image(1, 4, 4), CLASSES).expect_err("refused").to_string()
    };
    let text = refused("mlp((hidden: [6]))", local(true, true, 1));
    assert!(text.contains("`fc1.head` has one row an example"), "{text}");
    let text = refused("mlp((hidden: [6]))", local(true, false, 4));
    assert!(text.contains("fc1.head: 4 groups do not divide a width of 6"), "{text}");
    let text = refused("mlp((hidden: [6]))", local(true, false, 0));
    assert!(text.contains("the number of groups of fc1.head is 0"), "{text}");
    assert!(refused("mlp((hidden: []))", local(true, false, 1)).contains("no block"));
}
