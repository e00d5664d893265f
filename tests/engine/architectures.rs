//! Every strategy of the catalogue on every architecture: it takes steps with exact scalars, or is refused before them with the
//! reason.

use crate::cases::{Case, Place, cases};
use crate::fixture::{CONV, Fixture, MIXER, MLP, dot, flatten};
use crate::proposer::{Proposer, prepared};
use candle_core::{DType, Device, Result, Tensor};
use guesswork::estimate::{Directions, Settings};
use guesswork::kernel;
use guesswork::model::{Extent, Tape, build};
use guesswork::workspace::{LossesSpec, ModelSpec, Normalise, ParamValue, Scope};
use std::sync::Arc;

const BATCH: usize = 6;
const GUESSES: usize = 2;
const SCOPES: [Scope; 4] = [Scope::Batch, Scope::Layer, Scope::Example, Scope::ExampleLayer];

struct Architecture {
    model: &'static str,
    losses: LossesSpec,
    image: Extent,
    /// A chain of dense layers with an activation after each but the last.
    chain: bool,
}

fn architectures() -> Vec<Architecture> {
    let (small, large) = (Extent::image(2, 4, 4), Extent::image(2, 8, 8));
    let chain = |model| Architecture { model, losses: LossesSpec::Global, image: small, chain: true };
    let other = |model, image| Architecture { model, losses: LossesSpec::Global, image, chain: false };
    let mixer = "local_mixer((patch: 2, width: 12, groups: 2, blocks: 2))";
    let mut all = vec![
        chain(MLP),
        chain("mlp((hidden: [6, 6, 6, 6, 6, 6], activation: tanh))"),
        other("mlp((hidden: [6, 6, 6], norm: true, residual: true, activation: tanh))", small),
        other(
            "conv((layers: [(channels: 3), (channels: 3, pool: max(2)), (channels: 4), (channels: 4, pool: average(2))], \
             hidden: [6]))",
            large,
        ),
        other(CONV, large),
        other("conv((layers: [(channels: 4)], groups: 2, hidden: [5], activation: leaky_relu))", small),
        other("resnet((stages: [(channels: 4, blocks: 1), (channels: 6, blocks: 1, stride: 2)], groups: 2))", small),
        other(MIXER, small),
        other(mixer, small),
        other("transformer((patch: 2, width: 6, blocks: 1, heads: 3, hidden: 7))", small),
    ];
    for (greedy, patches, groups) in [(true, true, 3), (false, false, 1)] {
        let losses = LossesSpec::Local { greedy, patches, groups, aggregate: false };
        all.push(Architecture { losses, ..other(mixer, small) });
    }
    all
}

fn settings(case: &Case, scope: Scope) -> Settings {
    let normalise = if case.weight { Normalise::None } else { Normalise::Row };
    Settings { guesses: GUESSES, normalise, ..Settings::plain(scope) }
}

/// Σ a ⊙ b of each example, of matrices with as many rows an example.
fn by_example(a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    (a * b)?.reshape((BATCH, a.elem_count() / BATCH))?.sum(1)?.to_vec1()
}

/// The scalars of signal guesses as the adjoint's δ gives them: ⟨δ_{l,i}, E_{l,i}⟩ of each guess, site and example; at scope `example`
/// its sum over the sites of each part.
fn expected_scalars(f: &Fixture, deltas: &[Tensor], guesses: &[Tensor], scope: Scope) -> Result<Vec<f64>> {
    let mut values = Vec::new();
    for k in 0..GUESSES {
        let mut of_sites = Vec::new();
        for (delta, e) in deltas.iter().zip(guesses) {
            let rows = delta.dim(0)?;
            of_sites.push(by_example(delta, &e.narrow(0, k * rows, rows)?)?);
        }
        if scope == Scope::ExampleLayer {
            values.extend(of_sites.concat());
            continue;
        }
        for sites in &f.network.graph().parts {
            values.extend((0..BATCH).map(|i| sites.iter().map(|&site| of_sites[site][i]).sum::<f64>()));
        }
    }
    Ok(values)
}

/// Two steps of descent along the estimate, each checked against the adjoint.
fn steps(case: &Case, architecture: &Architecture, scope: Scope, what: &str) -> Result<()> {
    let mut f = Fixture::with(architecture.model, architecture.losses, architecture.image, 3, BATCH, 50)?;
    let mut proposer = Proposer::new(case.id, &case.params, settings(case, scope), &f.network, &f.tape);
    let mut estimator = proposer.estimator(&f.tape, &f.network);
    proposer.set_labels(f.labels.clone());
    for step in 0..2 {
        let errors: Vec<Tensor> =
            f.deltas.iter().map(|delta| delta * (delta.elem_count() / 3) as f64).collect::<Result<_>>()?;
        proposer.set_errors(errors);
        let sites = 0..f.network.graph().sites.len();
        let deltas: Vec<Tensor> =
            sites.map(|site| f.tape.signal(site).expect("an adjoint pass was made").copy()).collect::<Result<_>>()?;
        proposer.propose(&f.network, &f.tape, &f.data, step, &estimator);
        let estimate = f.network.zeros_like()?;
        proposer.estimate(f.point(), &mut estimator, &estimate);
        let (values, d) = (flatten(&estimate), &estimator.scalars().values);
        assert!(values.iter().all(|value| value.is_finite()), "{what}, step {step}: not finite");
        assert!(values.iter().any(|value| *value != 0.0), "{what}, step {step}: the estimate is zero");
        assert!(d.iter().any(|d| *d != 0.0), "{what}, step {step}: all scalars are zero");
        match (proposer.directions(), scope) {
            (Directions::Signal(guesses), Scope::Example | Scope::ExampleLayer) => {
                let expected = expected_scalars(&f, &deltas, guesses, scope)?;
                assert_eq!(d.len(), expected.len(), "{what}");
                let size = expected.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
                for (found, expected) in d.iter().zip(&expected) {
                    assert!((found - expected).abs() <= 1e-9 * size, "{what}, step {step}: {found} not {expected}");
                }
            }
            _ => {
                // ⟨ĝ, g⟩ = Σ d²/K: the estimate is the mean of d_k V_k, and d_k = ⟨g, V_k⟩.
                let inner = dot(&values, &f.gradient());
                let expected: f64 = d.iter().map(|d| d * d).sum::<f64>() / GUESSES as f64;
                assert!((inner / expected - 1.0).abs() < 1e-9, "{what}, step {step}: {inner} not {expected}");
            }
        }
        let norm = dot(&values, &values).sqrt();
        proposer.observe(&f.network, &f.tape, step, &estimator, (f.loss, norm));
        for (theta, grad) in f.network.theta().iter().zip(&estimate) {
            kernel::axpy(theta, -0.01 / norm, grad)?;
        }
        proposer.set_previous(estimate);
        f.refresh()?;
    }
    Ok(())
}

#[test]
fn every_strategy_takes_steps_on_every_architecture_or_is_refused_with_the_reason() -> Result<()> {
    let cases = cases();
    for architecture in architectures() {
        let f = Fixture::with(architecture.model, architecture.losses, architecture.image, 3, BATCH, 50)?;
        for case in &cases {
            for scope in SCOPES {
                let what = format!("{} {:?} on {}, {scope:?}", case.id, case.params, architecture.model);
                let place = Place { chain: architecture.chain, outputs: f.network.graph().outputs.len(), scope };
                let Some(words) = case.refusal(&place) else {
                    steps(case, &architecture, scope, &what)?;
                    continue;
                };
                match prepared(case.id, &case.params, settings(case, scope), &f.tape) {
                    Ok(_) => panic!("{what}: to be refused with `{words}`"),
                    Err(error) => {
                        assert_eq!(error.place.function, "prepare", "{what}: {error}");
                        assert!(error.to_string().contains(words), "{what}: `{words}` in `{error}`");
                    }
                }
            }
        }
    }
    Ok(())
}

/// The refusal of a strategy on a model that is described and never made: its weights would fill the memory.
fn too_large(
    id: &str,
    params: &[(&str, ParamValue)],
    model: &str,
    image: Extent,
    classes: usize,
    batch: usize,
) -> String {
    let model: ModelSpec = ron::from_str(model).unwrap();
    let graph = Arc::new(build::build(&model, image, classes).unwrap());
    let tape = Tape::new(graph, batch, DType::F32, &Device::Cpu).unwrap();
    match prepared(id, params, Settings::plain(Scope::ExampleLayer), &tape) {
        Ok(_) => panic!("{id} is to be refused"),
        Err(error) => {
            assert_eq!(error.place.function, "prepare", "{error}");
            error.to_string()
        }
    }
}

#[test]
fn matrices_that_no_memory_holds_are_refused_with_their_extents() {
    let image = Extent::image(1, 32, 32);
    let pair = "conv((layers: [(channels: 16), (channels: 16, pool: average(32))]))";
    let text = too_large("feedback-alignment", &[], pair, image, 10, 1);
    assert!(text.contains("from `conv2` to `conv1` would be 16384×16384"), "{text}");
    assert!(text.contains("use direct-feedback"), "{text}");
    let wide = "conv((layers: [(channels: 132, pool: average(32))]))";
    for id in ["direct-feedback", "learned-feedback"] {
        let text = too_large(id, &[], wide, image, 1000, 1);
        assert!(text.contains("to `conv1` would be 1000×135168") && text.contains("a smaller model"), "{text}");
    }
    let text = too_large("local-loss", &[], "mlp((hidden: [8200]))", Extent::dense(1), 16_384, 1);
    assert!(text.contains("on `fc1` would be 16384×8200") && text.contains("a smaller model"), "{text}");
    let debias = [("debias", ParamValue::Float(0.1))];
    for id in ["weight-transpose", "downstream"] {
        let text = too_large(id, &debias, "mlp((hidden: [4096, 4096]))", Extent::dense(1), 10, 5);
        assert!(text.contains("the 4096×4096 numbers that make the guess of `fc1` for each of 5 examples"), "{text}");
        assert!(text.contains("set it to 0, or choose a smaller layer or batch"), "{text}");
    }
    let text = too_large("activation-mixing", &debias, "mlp((hidden: [5000]))", Extent::dense(1), 10, 128);
    assert!(text.contains("the 128×5000 numbers that make the guess of `fc1` for each of 128 examples"), "{text}");
    let text = too_large("jacobian-transpose", &debias, "mlp((hidden: [8200]))", Extent::dense(1), 8193, 1);
    assert!(text.contains("the 8193×8200 numbers that make the guess of `fc1`"), "{text}");
}

#[test]
fn numbers_of_guesses_without_meaning_are_refused() -> Result<()> {
    let f = Fixture::new(MLP, Extent::image(1, 2, 3), 3, BATCH, 51)?;
    for case in cases() {
        for guesses in [0, 65_536] {
            let scope = if case.weight { Scope::Layer } else { Scope::ExampleLayer };
            let settings = Settings { guesses, ..Settings::plain(scope) };
            let error = prepared(case.id, &case.params, settings, &f.tape).map(drop).expect_err(case.id).to_string();
            assert!(error.contains(&format!("guesses is {guesses}, expected 1 to 65535")), "{error}");
        }
    }
    Ok(())
}
