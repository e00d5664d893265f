//! Copies of blocks' losses: whom a guess reaches, what the scalars are, and how much less noise that leaves.

use crate::cases::{Place, cases as strategies};
use crate::fixture::{Fixture, flatten};
use crate::proposer::Proposer;
use crate::support::assert_close;
use candle_core::{Result, Tensor};
use guesswork::estimate::{Directions, Estimator, GuessKind, Settings};
use guesswork::kernel;
use guesswork::model::{Cells, Extent};
use guesswork::workspace::{LossesSpec, OutputSignal, Scope};

const CLASSES: usize = 3;
const BATCH: usize = 2;
const MIXER: &str = "local_mixer((patch: 2, width: 9, groups: 3, blocks: 3, activation: tanh))";
const SCOPES: [Scope; 2] = [Scope::Example, Scope::ExampleLayer];

fn copied(patches: bool, groups: usize) -> LossesSpec {
    LossesSpec::Local { greedy: true, patches, groups, aggregate: true }
}

fn cases() -> Vec<(&'static str, LossesSpec, Extent)> {
    let image = Extent::image(2, 4, 4);
    let transformer = "transformer((patch: 2, width: 6, blocks: 2, heads: 3, hidden: 7))";
    let mut all = vec![
        ("mlp((hidden: [6, 4], activation: tanh))", copied(false, 2), Extent::image(1, 2, 3)),
        ("conv((layers: [(channels: 4), (channels: 6, pool: average(2))]))", copied(true, 2), image),
        ("resnet((stages: [(channels: 4, blocks: 2)], groups: 2, activation: tanh))", copied(false, 2), image),
        ("mixer((patch: 2, width: 6, blocks: 2, token_hidden: 5, channel_hidden: 7))", copied(true, 3), image),
        (transformer, copied(true, 2), image),
    ];
    all.extend([copied(true, 1), copied(false, 3), copied(true, 3)].map(|losses| (MIXER, losses, image)));
    all
}

fn fixture((model, losses, image): (&str, LossesSpec, Extent)) -> Result<Fixture> {
    Fixture::with(model, losses, image, CLASSES, BATCH, 31)
}

fn settings(scope: Scope, guesses: usize) -> Settings {
    Settings { output: OutputSignal::Exact, guesses, ..Settings::plain(scope) }
}

fn estimator(f: &Fixture, settings: Settings) -> Result<Estimator> {
    Estimator::new(settings, GuessKind::Signal, &f.tape, f.network.theta())
}

fn weigh(f: &Fixture, estimator: &mut Estimator, guess: &[Tensor]) -> Result<()> {
    estimator.derive(f.point(), Directions::Signal(guess))?;
    estimator.weigh(f.point(), Directions::Signal(guess))
}

/// Copies add nothing and leave nothing out: losses, parameters and gradient are those of one loss a block.
#[test]
fn the_gradient_is_that_of_the_blocks_own_losses() -> Result<()> {
    for (model, losses, image) in cases() {
        let f = fixture((model, losses, image))?;
        let whole =
            fixture((model, LossesSpec::Local { greedy: true, patches: false, groups: 1, aggregate: true }, image))?;
        assert_eq!(f.network.names(), whole.network.names());
        assert_eq!(f.loss, whole.loss, "{model}");
        for (copied, own) in f.gradient.iter().zip(&whole.gradient) {
            assert_close(model, copied, own, 0.0);
        }
    }
    Ok(())
}

/// A guess of one element alone gives that element of the true signal, exactly: all copies that it reaches are counted. For every site
/// and every fifth element.
#[test]
fn a_guess_of_one_element_finds_its_signal() -> Result<()> {
    for case in cases() {
        let f = fixture(case)?;
        for scope in SCOPES {
            let mut estimator = estimator(&f, settings(scope, 1))?;
            let guess = f.signal_guesses(1, 3, 0)?;
            for (site, place) in f.network.graph().sites.iter().enumerate() {
                if place.output.is_some() {
                    continue;
                }
                let delta = f.tape.signal(site).expect("an adjoint pass").flatten_all()?.to_vec1::<f64>()?;
                let (rows, width) = guess[site].dims2()?;
                for element in (0..rows * width).step_by(5) {
                    for e in &guess {
                        kernel::fill(e, 0.0)?;
                    }
                    let mut one = vec![0.0; rows * width];
                    one[element] = 1.0;
                    kernel::copy(&guess[site], &Tensor::from_vec(one, (rows, width), f.data.device())?)?;
                    weigh(&f, &mut estimator, &guess)?;
                    let found = estimator.signal(site).expect("a signal").flatten_all()?.to_vec1::<f64>()?;
                    let what = format!("{case:?} {scope:?}, site {site}, element {element}");
                    assert!(
                        (found[element] - delta[element]).abs() < 1e-12,
                        "{what}: {} not {}",
                        found[element],
                        delta[element]
                    );
                    let others = found.iter().enumerate().filter(|(index, _)| *index != element);
                    assert!(others.into_iter().all(|(_, value)| *value == 0.0), "{what}");
                }
            }
        }
    }
    Ok(())
}

/// The scalars of a block's copies add up to the one it has without copies: 1e-12 of the largest.
#[test]
fn the_scalars_of_the_copies_add_up() -> Result<()> {
    for (model, losses, image) in cases() {
        let whole =
            fixture((model, LossesSpec::Local { greedy: true, patches: false, groups: 1, aggregate: true }, image))?;
        let f = fixture((model, losses, image))?;
        for scope in SCOPES {
            let (guesses, settings) = (f.signal_guesses(2, 5, 0)?, settings(scope, 2));
            let (mut copies, mut own) = (estimator(&f, settings)?, estimator(&whole, settings)?);
            weigh(&f, &mut copies, &guesses)?;
            weigh(&whole, &mut own, &guesses)?;
            let graph = f.network.graph();
            let groups = if settings.per_layer() { graph.sites.len() } else { graph.parts.len() };
            assert!(copies.scalars_each() > own.scalars_each());
            for (k, group) in (0..2).flat_map(|k| (0..groups).map(move |group| (k, group))) {
                let (parts, sums) = (copies.scalars().row(k, group), own.scalars().row(k, group));
                let largest = sums.iter().fold(1e-3f64, |largest, sum| largest.max(sum.abs()));
                for (parts, sum) in parts.chunks_exact(parts.len() / BATCH).zip(sums) {
                    let found: f64 = parts.iter().sum();
                    assert!((found - sum).abs() < 1e-12 * largest, "{model} {scope:?}: {found} not {sum}");
                }
            }
        }
    }
    Ok(())
}

/// In the local mixer tokens mix first, then all channels of a patch, then those of a group: a guess at a unit of the last two reaches
/// its own patch and group, one behind the tokens its patch.
#[test]
fn the_cells_of_the_local_mixer_are_as_local_as_its_layers() -> Result<()> {
    let f = fixture((MIXER, copied(true, 3), Extent::image(2, 4, 4)))?;
    let graph = f.network.graph();
    let named: Vec<(&str, Option<Cells>)> =
        graph.sites.iter().map(|site| (graph.nodes[site.node].name.as_str(), site.cells)).collect();
    let (patches, groups) = (4, 3);
    let own = Some(Cells { rows: patches, columns: groups, transposed: false });
    let expected = [
        ("block0.channel.fc", own),
        ("block0.group.fc", own),
        ("block0.head", None),
        ("block1.token.fc", Some(Cells { rows: 1, columns: patches, transposed: true })),
        ("block1.channel.fc", own),
        ("block1.group.fc", own),
        ("block1.head", None),
    ];
    assert_eq!(named[..7], expected);
    // What is guessed at a patch and group is not seen by any other copy, not in the last bit.
    let mut estimator = estimator(&f, settings(Scope::Example, 1))?;
    let guess = f.signal_guesses(1, 7, 0)?;
    let site = 1;
    weigh(&f, &mut estimator, &guess)?;
    let before = estimator.scalars().row(0, 0).to_vec();
    let moved = guess[site].copy()?;
    let (patch, group) = (2, 1);
    kernel::scale(&moved.narrow(0, patch, 1)?, 1.0)?;
    let mut values = moved.to_vec2::<f64>()?;
    values[patch][3 * group..3 * group + 3].iter_mut().for_each(|value| *value += 1.0);
    kernel::copy(&guess[site], &Tensor::new(values, f.data.device())?)?;
    weigh(&f, &mut estimator, &guess)?;
    let changed: Vec<usize> =
        (0..before.len()).filter(|&copy| before[copy] != estimator.scalars().row(0, 0)[copy]).collect();
    assert_eq!(changed, [patch * groups + group]);
    Ok(())
}

/// With a scalar for each layer a guess from N(0, I) has E‖Ê_l‖² = (c + 2)‖δ_l‖² where c units share a scalar: without copies all of an
/// example, with them those of a cell. Over 3000 guesses, relative error below 10 %.
#[test]
fn the_noise_is_that_of_a_cell() -> Result<()> {
    for losses in [
        copied(true, 3),
        copied(false, 3),
        LossesSpec::Local { greedy: true, patches: false, groups: 1, aggregate: true },
    ] {
        let f = fixture((MIXER, losses, Extent::image(2, 4, 4)))?;
        let sites = f.network.graph().sites.len();
        let mut estimator = estimator(&f, settings(Scope::ExampleLayer, 1))?;
        let (trials, mut squared) = (3000, vec![0.0; sites]);
        for trial in 0..trials {
            weigh(&f, &mut estimator, &f.signal_guesses(1, 11, trial)?)?;
            for (site, sum) in squared.iter_mut().enumerate() {
                *sum += kernel::norm_squared(estimator.signal(site).expect("a signal"))? / trials as f64;
            }
        }
        for (site, place) in f.network.graph().sites.iter().enumerate().filter(|(_, place)| place.output.is_none()) {
            let delta = f.tape.signal(site).expect("an adjoint pass");
            let units = delta.elem_count() / BATCH / place.cells.map_or(1, |cells| cells.count());
            let expected = (units + 2) as f64 * kernel::norm_squared(delta)?;
            let name = &f.network.graph().nodes[place.node].name;
            let ratio = squared[site] / expected;
            assert!((ratio - 1.0).abs() < 0.1, "{losses:?} {name}: {ratio} with {units} units");
        }
    }
    Ok(())
}

/// `output: exact` trains the heads exactly, with copies too.
#[test]
fn heads_are_trained_exactly() -> Result<()> {
    let f = fixture((MIXER, copied(true, 3), Extent::image(2, 4, 4)))?;
    let mut estimator = estimator(&f, settings(Scope::Example, 1))?;
    let (guess, estimate) = (f.signal_guesses(1, 13, 0)?, f.network.zeros_like()?);
    estimator.derive(f.point(), Directions::Signal(&guess))?;
    estimator.combine(f.point(), Directions::Signal(&guess), &estimate)?;
    let graph = f.network.graph();
    for site in graph.sites.iter().filter(|site| site.output.is_some()) {
        let node = &graph.nodes[site.node];
        let range = node.first_parameter..node.first_parameter + node.parameters;
        assert!(flatten(&f.gradient[range.clone()]).iter().any(|value| *value != 0.0));
        for (estimate, gradient) in estimate[range.clone()].iter().zip(&f.gradient[range]) {
            assert_close(&node.name, estimate, gradient, 1e-12);
        }
    }
    Ok(())
}

/// Every strategy that guesses signals, or its refusal: the scalars of an example's copies add up to ⟨δ_{l,i}, E_{l,i}⟩ of its layer.
#[test]
fn all_strategies_run_on_copies() -> Result<()> {
    let f = fixture((MIXER, copied(true, 3), Extent::image(2, 4, 4)))?;
    let graph = f.network.graph();
    let errors: Vec<Tensor> =
        f.deltas.iter().map(|delta| delta * (delta.elem_count() / CLASSES) as f64).collect::<Result<_>>()?;
    let place = Place { chain: false, outputs: graph.outputs.len(), scope: Scope::ExampleLayer };
    let mut ran = 0;
    for case in strategies().iter().filter(|case| !case.weight && case.refusal(&place).is_none()) {
        let settings = settings(Scope::ExampleLayer, 2);
        let mut proposer = Proposer::new(case.id, &case.params, settings, &f.network, &f.tape);
        proposer.set_errors(errors.clone());
        proposer.set_labels(f.labels.clone());
        let mut estimator = proposer.estimator(&f.tape, &f.network);
        proposer.propose(&f.network, &f.tape, &f.data, 0, &estimator);
        let Directions::Signal(guesses) = proposer.directions() else { panic!("{} writes signals", case.id) };
        weigh(&f, &mut estimator, guesses)?;
        for (site, place) in graph.sites.iter().enumerate().filter(|(_, place)| place.output.is_none()) {
            let delta = f.tape.signal(site).expect("an adjoint pass");
            let rows = delta.dim(0)?;
            for k in 0..2 {
                let e = guesses[site].narrow(0, k * rows, rows)?;
                let expected = kernel::group_dot(delta, &e, rows / BATCH)?;
                let found = estimator.scalars().row(k, site);
                let copies = graph.copies_of(place.part).expect("copies").count();
                for (found, expected) in found.chunks_exact(copies).zip(expected) {
                    let sum: f64 = found.iter().sum();
                    let scale = found.iter().map(|d| d.abs()).sum::<f64>().max(1e-9);
                    assert!((sum - expected).abs() < 1e-11 * scale, "{} {site}: {sum} not {expected}", case.id);
                }
            }
        }
        ran += 1;
    }
    assert!(ran > 10, "{ran}");
    Ok(())
}
