//! Models and catalogs for the tests.

use candle_core::{DType, Device, Tensor};
use guesswork::kernel::{self, Draw, DrawKey};
use guesswork::model::build::{build, input_extent};
use guesswork::model::{Extent, Graph, Network, Tape};
use guesswork::objective::Loss;
use guesswork::strategy::{
    Call, CallMode, Catalog, Inputs, Instance, Origin, Outputs, Params, PluginError, RunFacts, SearchPath, StrategyInfo,
};
use guesswork::workspace::{ModelSpec, ParamValue, Scope};
use std::path::PathBuf;
use std::sync::Arc;

/// Examples of a batch.
pub const BATCH: usize = 5;

/// The folder that holds this test and, beside it, the plugin libraries.
pub fn folder() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// A plugin library by the name of its crate.
pub fn library(name: &str) -> PathBuf {
    let extension = if cfg!(target_os = "macos") { "dylib" } else { "so" };
    folder().join(format!("lib{name}.{extension}"))
}

/// The catalog of these files and folders, as if named on the command line.
pub fn catalog(places: &[PathBuf]) -> Catalog {
    let mut path = SearchPath::default();
    for place in places {
        path.push(place.clone(), Origin::Named);
    }
    Catalog::load(&path)
}

/// A strategy of the library of faults, or a shipped one.
pub fn strategy(id: &str) -> Arc<StrategyInfo> {
    Arc::clone(catalog(&[library("faults"), folder()]).get(id).unwrap())
}

/// A network with a tape whose forward pass is done.
pub struct Model {
    pub graph: Arc<Graph>,
    pub network: Network,
    pub tape: Tape,
    pub labels: Tensor,
    pub error: Tensor,
}

impl Model {
    /// A model from its RON text, for images of 2 × 8 × 8 and 4 classes.
    pub fn new(spec: &str, dtype: DType) -> Self {
        let spec: ModelSpec = ron::from_str(spec).unwrap();
        let image = Extent::image(2, 8, 8);
        let graph = Arc::new(build(&spec, image, 4).unwrap());
        let network = Network::new(Arc::clone(&graph), dtype, &Device::Cpu, 5).unwrap();
        let tape = Tape::new(Arc::clone(&graph), BATCH, dtype, &Device::Cpu).unwrap();
        let extent = input_extent(&spec, image);
        let data = Tensor::zeros((BATCH * extent.rows, extent.width), dtype, &Device::Cpu).unwrap();
        let key = DrawKey { seed: 9, instance: 0, step: 0, site: 0, guess: 0, draw: 0 };
        kernel::fill_draws(&data, Draw::Normal, 1.0, key).unwrap();
        tape.forward(network.theta(), &data, None, |_| Ok::<_, candle_core::Error>(())).unwrap();
        let labels: Vec<f64> = (0..BATCH).map(|example| (example % 4) as f64).collect();
        let labels = Tensor::from_vec(labels, (BATCH, 1), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let error = tape.logits().zeros_like().unwrap();
        Loss::CrossEntropy.evaluate(tape.logits(), &labels, Some(&error)).unwrap();
        kernel::scale(&error, BATCH as f64).unwrap();
        Self { graph, network, tape, labels, error }
    }

    pub fn mlp(dtype: DType) -> Self {
        Self::new("mlp((hidden: [6, 7]))", dtype)
    }
}

/// The facts of a lane with `guesses` guesses.
pub fn facts(scope: Scope, guesses: usize) -> RunFacts {
    RunFacts { scope, guesses, seed: 3, instance: 1, diagnostic: false, oracle: true, cancelled: Arc::default() }
}

/// An instance prepared with default parameters, and memory for what it writes.
pub fn prepared(info: &Arc<StrategyInfo>, model: &Model, run: &RunFacts) -> Result<(Instance, Outputs), PluginError> {
    prepared_with(info, &[], model, run)
}

/// The same with parameters.
pub fn prepared_with(
    info: &Arc<StrategyInfo>,
    params: &[(&str, ParamValue)],
    model: &Model,
    run: &RunFacts,
) -> Result<(Instance, Outputs), PluginError> {
    let given = params.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let params = Params::check(&info.id, &info.params, &given).unwrap();
    let mut instance = Instance::create(info, &params)?;
    instance.prepare(&model.graph, &model.tape, run)?;
    let outputs = instance.outputs(&model.tape)?;
    Ok((instance, outputs))
}

/// One step: as many calls as the plan says.
pub fn step(instance: &mut Instance, outputs: &mut Outputs, model: &Model, step: u64) -> Result<(), PluginError> {
    let sites: Vec<Option<usize>> = match instance.plan().unwrap().call_mode {
        CallMode::Model => vec![None],
        CallMode::Layer => (0..model.graph.sites.len()).map(Some).collect(),
    };
    sites.into_iter().try_for_each(|site| {
        instance.propose(&mut Call {
            tape: &model.tape,
            theta: model.network.theta(),
            step,
            site,
            first_guess: 0,
            progress: 0.0,
            inputs: Inputs {
                labels: Some(&model.labels),
                output_errors: std::slice::from_ref(&model.error),
                ..Inputs::default()
            },
            outputs: Some(outputs),
            oracle: None,
        })
    })
}

/// Every number that was written, in order; directions however they were given.
pub fn written(outputs: &Outputs, model: &Model) -> Vec<f64> {
    let mut directions = Vec::new();
    if outputs.signals().is_empty() && outputs.estimate().is_empty() {
        for guess in 0..outputs.guesses() {
            let direction = model.network.zeros_like().unwrap();
            outputs.direction_into(guess, &direction).unwrap();
            directions.extend(direction);
        }
    }
    let tensors = outputs.signals().iter().flatten().chain(&directions).chain(outputs.estimate());
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
    tensors.flat_map(flat).collect()
}
