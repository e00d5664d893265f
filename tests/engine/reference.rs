//! The golden vectors of `tests/reference/`, or of the folder that `GUESSWORK_REFERENCE` names: every extent is read from
//! the files, so other widths, depths and batch sizes serve as well.

use candle_core::{DType, Device, Tensor};
use guesswork::kernel;
use guesswork::model::{Extent, Graph, Network, Tape, build};
use guesswork::objective::Loss;
use guesswork::options::DeviceChoice;
use guesswork::session::device::open;
use guesswork::workspace::{
    ActivationSpec, ConvLayerSpec, ConvSpec, InitSpec, MixerSpec, MlpSpec, ModelSpec, PoolSpec,
};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::slice::from_ref;
use std::sync::Arc;

/// The multilayer perceptrons that have a file each.
pub const ACTIVATIONS: [(&str, ActivationSpec); 3] =
    [("relu", ActivationSpec::Relu), ("tanh", ActivationSpec::Tanh), ("gelu", ActivationSpec::Gelu)];

thread_local! {
    /// What this test has read: file and tensor.
    static READ: RefCell<BTreeSet<(PathBuf, String)>> = const { RefCell::new(BTreeSet::new()) };
}

/// Device and data type of the test: f64 on the CPU, f32 on what `GUESSWORK_TEST_DEVICE` names.
pub fn place() -> (Device, DType) {
    let Ok(name) = std::env::var("GUESSWORK_TEST_DEVICE") else { return (Device::Cpu, DType::F64) };
    let choice = match name.strip_prefix("cuda:").map(str::parse) {
        Some(Ok(number)) => DeviceChoice::Cuda(number),
        None if name == "cpu" => DeviceChoice::Cpu,
        _ => panic!("GUESSWORK_TEST_DEVICE is `{name}`, expected cpu or cuda:N"),
    };
    (open(choice).unwrap_or_else(|error| panic!("{error}")).0, DType::F32)
}

/// Tensors of one file, by name.
pub struct Reference {
    file: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Reference {
    /// Reads `NAME.safetensors`.
    pub fn open(name: &str) -> Self {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/reference");
        let folder = std::env::var_os("GUESSWORK_REFERENCE").map_or_else(|| PathBuf::from(own), PathBuf::from);
        let file = folder.join(format!("{name}.safetensors"));
        let tensors = candle_core::safetensors::load(&file, &Device::Cpu)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { file, tensors }
    }

    /// The tensor `name`, in the type and on the device of the test.
    #[track_caller]
    pub fn get(&self, name: &str) -> Tensor {
        match self.tensors.get(name) {
            Some(tensor) => {
                READ.with_borrow_mut(|read| read.insert((self.file.clone(), name.to_owned())));
                let (device, dtype) = place();
                tensor.to_dtype(dtype).and_then(|tensor| tensor.to_device(&device)).unwrap()
            }
            None => panic!("{}: no tensor `{name}`", self.file.display()),
        }
    }

    /// The tensors that this test has not read yet.
    pub fn unread(&self) -> Vec<&str> {
        let read = |name: &str| READ.with_borrow(|read| read.contains(&(self.file.clone(), name.to_owned())));
        let mut names: Vec<&str> = self.tensors.keys().map(String::as_str).filter(|name| !read(name)).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor `name` as one number.
    #[track_caller]
    pub fn scalar(&self, name: &str) -> f64 {
        self.get(name).to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()[0]
    }

    /// The labels, B × 1.
    pub fn labels(&self) -> Tensor {
        self.get("y").reshape(((), 1)).unwrap()
    }

    /// Number of parametric layers of a perceptron's file.
    pub fn depth(&self) -> usize {
        (1..).take_while(|l| self.has(&format!("W{l}"))).count()
    }

    /// The classes, from the logits' layer.
    fn outputs(&self, weight: &str) -> usize {
        self.get(weight).dims()[0]
    }
}

/// A network with the parameters of a file and a tape after its forward pass on the file's batch.
pub struct Golden {
    /// The file.
    pub reference: Reference,
    /// The network.
    pub network: Network,
    /// Its tape.
    pub tape: Tape,
}

/// A network whose parameter NAME is `value(NAME)`.
pub fn network_from(graph: Graph, value: impl Fn(&str) -> Tensor) -> Network {
    let (device, dtype) = place();
    let network = Network::new(Arc::new(graph), dtype, &device, 0).unwrap();
    for (name, theta) in network.names().iter().zip(network.theta()) {
        kernel::copy(theta, &value(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    network
}

/// A tape of `network` after its forward pass on `data`, (B·P) × n.
pub fn forward(network: &Network, data: &Tensor) -> Tape {
    let batch = data.dims()[0] / network.graph().input.rows;
    let tape = Tape::new(Arc::clone(network.graph()), batch, data.dtype(), data.device()).unwrap();
    tape.forward(network.theta(), data, None, |_| Ok::<_, candle_core::Error>(())).unwrap();
    tape
}

/// Images N × C × H × W as rows (example, y, x) × channel.
pub fn image_rows(images: &Tensor) -> Tensor {
    let channels = images.dims()[1];
    images.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().reshape(((), channels)).unwrap()
}

impl Golden {
    /// The tape once more, with S_l of every site kept.
    pub fn kept(&self) -> Tape {
        let tape = &self.tape;
        let kept = Tape::new(Arc::clone(tape.graph()), tape.batch(), tape.dtype(), tape.device()).unwrap();
        kept.keep_pre_activations().unwrap();
        let data = self.reference.get("x");
        kept.forward(self.network.theta(), &data, None, |_| Ok::<_, candle_core::Error>(())).unwrap();
        assert!((0..kept.graph().sites.len()).all(|site| kept.keeps_pre_activation(site)));
        kept
    }

    /// The perceptron of `mlp_NAME.safetensors`.
    pub fn mlp(name: &str, activation: ActivationSpec) -> Self {
        let reference = Reference::open(&format!("mlp_{name}"));
        let depth = reference.depth();
        let hidden = (1..depth).map(|l| reference.outputs(&format!("W{l}"))).collect();
        let spec = MlpSpec { hidden, activation, init: InitSpec::He, norm: false, residual: false };
        let x = reference.get("x");
        let graph =
            build::build(&ModelSpec::Mlp(spec), Extent::dense(x.dims()[1]), reference.outputs(&format!("W{depth}")))
                .unwrap();
        let network = network_from(graph, |name| {
            let (layer, part) = name.split_once('.').unwrap();
            let number = layer.strip_prefix("fc").unwrap();
            reference.get(&format!("{}{number}", if part == "weight" { "W" } else { "b" }))
        });
        let tape = forward(&network, &x);
        Self { reference, network, tape }
    }

    /// The convolutional network of `conv.safetensors`: padding keeps the size, the first stride is 1 and the others 2.
    pub fn conv() -> Self {
        let reference = Reference::open("conv");
        let mut layers = Vec::new();
        for number in 1.. {
            let name = format!("param.conv{number}.weight");
            if !reference.has(&name) {
                break;
            }
            let shape = reference.get(&name);
            let (channels, kernel) = (shape.dims()[0], shape.dims()[2]);
            let stride = if number == 1 { 1 } else { 2 };
            layers.push(ConvLayerSpec { channels, kernel, stride, padding: kernel / 2, pool: PoolSpec::None });
        }
        let (hidden, groups) = (Vec::new(), 0);
        let spec = ConvSpec { layers, hidden, groups, activation: ActivationSpec::Relu, init: InitSpec::He };
        Self::image_model(reference, ModelSpec::Conv(spec), "param.fc.weight")
    }

    /// The mixer of `mixer.safetensors`.
    pub fn mixer() -> Self {
        let reference = Reference::open("mixer");
        let embed = reference.get("param.embed.weight");
        let channels = reference.get("x").dims()[1];
        let hidden = |part: &str| reference.outputs(&format!("param.block0.{part}.fc1.weight"));
        let spec = MixerSpec {
            patch: (embed.dims()[1] / channels).isqrt(),
            width: embed.dims()[0],
            blocks: (0..).take_while(|block| reference.has(&format!("param.block{block}.norm1.weight"))).count(),
            token_hidden: hidden("token"),
            channel_hidden: hidden("channel"),
            activation: ActivationSpec::Gelu,
            init: InitSpec::He,
        };
        Self::image_model(reference, ModelSpec::Mixer(spec), "param.head.weight")
    }

    fn image_model(reference: Reference, spec: ModelSpec, head: &str) -> Self {
        let images = reference.get("x");
        let (_, channels, height, width) = images.dims4().unwrap();
        let graph = build::build(&spec, Extent::image(channels, height, width), reference.outputs(head)).unwrap();
        let network = network_from(graph, |name| reference.get(&format!("param.{name}")));
        let tape = forward(&network, &image_rows(&images));
        Self { reference, network, tape }
    }

    /// Runs the adjoint of the cross-entropy; returns the loss, the signal at the logits and the gradient.
    pub fn adjoint(&self) -> (f64, Tensor, Vec<Tensor>) {
        let signal = self.tape.logits().zeros_like().unwrap();
        let evaluation =
            Loss::CrossEntropy.evaluate(self.tape.logits(), &self.reference.labels(), Some(&signal)).unwrap();
        let gradient = self.network.zeros_like().unwrap();
        self.tape.adjoint(self.network.theta(), from_ref(&signal), Some(&gradient)).unwrap();
        (evaluation.loss, signal, gradient)
    }

    /// The tangents at the sites of the weight direction `direction`, shaped as the parameters.
    pub fn injection(&self, direction: &[Tensor]) -> Vec<Option<Tensor>> {
        let graph = self.network.graph();
        let sites = graph.sites.iter().enumerate().map(|(site, place)| {
            let node = &graph.nodes[place.node];
            let part = &direction[node.first_parameter..node.first_parameter + node.parameters];
            let tangent = self.tape.pre_activation(site).zeros_like().unwrap();
            self.tape.tangent_parameters(self.network.theta(), site, part, &tangent).unwrap();
            Some(tangent)
        });
        sites.collect()
    }
}
