//! What a warm training step allocates, counted by the allocator of this program: no tensor memory.
//!
//! What remains, on the model below, a step:
//!
//! | blocks | bytes | what |
//! |---|---|---|
//! | a few a product | ≤ 2 MiB each | packing scratch inside the `gemm` crate, aligned for vector registers, freed at once |
//! | ≤ 600 | ≤ 64 KiB | sums in double precision (a number a row or column: at most 8·L·B bytes a vector, with copies of losses so many times that), the scalars and their copy for the coefficients, lists of tensors and handles, the step's report, a task for each thread that stays awake meanwhile |
//! | ≤ 3000 | ≤ 256 KiB | the same for strategies that iterate: a list of sources for each of their operations |

mod counting;

use candle_core::{Device, Tensor};
use counting::{Counted, Counting, counting, turn};
use guesswork::bench::{Method, Model};
use guesswork::session::{Solo, pool};
use guesswork::workspace::{LaneSpec, LossesSpec, MemberSpec, OutputSignal};
use std::collections::{BTreeMap, BTreeSet};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Extents that no vector of numbers in double precision shares with a tensor in single.
const MODEL: &str = "784-261-203:97";
const EXTENTS: [usize; 4] = [784, 261, 203, 10];
const BATCH: usize = 97;
/// Steps that plan buffers, and in which outputs are scanned (the first three).
const WARM_UP: usize = 5;
/// Steps counted.
const STEPS: usize = 10;
/// Every weight, activation and signal but the logits' is larger.
const LARGE: usize = 16 << 10;

/// A bias of the logits is as small as a list of handles.
const LEAST: usize = 512;

/// Bytes of every tensor of a lane, and of the next power of two, which scratch is rounded to; from [`LEAST`] on.
fn tensor_sizes(guesses: usize) -> BTreeSet<usize> {
    let weights = EXTENTS.windows(2).map(|pair| pair[0] * pair[1]);
    let biases = EXTENTS[1..].iter().copied();
    let rows = EXTENTS.iter().map(|width| width * BATCH).chain([BATCH * BATCH]);
    let stacked = rows.clone().map(|count| count * guesses);
    let all = weights.chain(biases).chain(rows).chain(stacked);
    all.flat_map(|count| [count * 4, count.next_power_of_two() * 4]).filter(|&bytes| bytes >= LEAST).collect()
}

/// Of `method`, its lane changed by `change`; blocks from `large` bytes on are tensors too.
fn step_allocations(method: &str, large: usize, change: impl Fn(&mut LaneSpec)) -> Counted {
    let (model, method): (Model, Method) = (MODEL.parse().unwrap(), method.parse().unwrap());
    let data = model.data(&Device::Cpu).unwrap();
    let mut plan = model.plan(&method, 1e-12, data, &[]);
    change(&mut plan.lane);
    let mut solo = Solo::new(plan).unwrap();
    // One thread: with several, which of them first needs scratch of its own is a matter of chance.
    pool(Some(1)).unwrap().install(|| {
        for _ in 0..WARM_UP {
            solo.step().unwrap();
        }
        counting(tensor_sizes(method.guesses), large, || {
            for _ in 0..STEPS {
                solo.step().unwrap();
            }
        })
    })
}

/// Strategies that find singular directions or roots of matrices by iteration.
const ITERATIVE: [&str; 2] = ["orthogonal-transpose", "whitened"];

const METHODS: [&str; 25] = [
    "backprop",
    "weight-perturbation@batch",
    "weight-perturbation@layer:4",
    "activity-perturbation@example",
    "activity-perturbation@example-layer",
    "weight-transpose@example:8",
    "weight-transpose@layer",
    "weight-transpose@batch",
    "activation-mixing@example",
    "activation-mixing@batch:4",
    "downstream@example-layer",
    "jacobian-transpose@example",
    "label-guess@example",
    "self-sharpening@example-layer",
    "orthogonal-transpose@example-layer",
    "whitened@example-layer",
    "activation-subspace@layer:4",
    "feedback-alignment@example",
    "direct-feedback@example-layer",
    "learned-feedback@example-layer",
    "local-loss@example-layer",
    "spsa@batch",
    "mezo@layer",
    "likelihood-ratio@example",
    "momentum@batch",
];

/// Called layer by layer, once a step, of both sorts; directions as they are and from seeds.
const MIXTURES: [(&str, &[&str]); 4] = [
    ("mixture@example:4", &["weight-transpose", "activity-perturbation"]),
    ("mixture@batch", &["weight-transpose", "jacobian-transpose"]),
    ("mixture@example-layer", &["learned-feedback", "activation-mixing"]),
    ("mixture@layer:4", &["weight-perturbation", "mezo"]),
];

#[test]
fn a_warm_step_allocates_no_tensor_memory() {
    let _turn = turn();
    for (method, of) in METHODS.map(|method| (method, &[][..])).into_iter().chain(MIXTURES) {
        let member = |id: &&str| MemberSpec { strategy: (*id).to_owned(), weight: 0.5, params: BTreeMap::new() };
        let Counted { small, scratch, found } =
            step_allocations(method, LARGE, |lane| lane.of = of.iter().map(member).collect());
        if let Some((bytes, trace)) = found.first() {
            panic!("{method} {of:?}: {} blocks in {STEPS} steps, the first of {bytes} bytes\n{trace}", found.len());
        }
        println!("{method} {of:?}: {small:?} {scratch:?}");
        let iterates = ITERATIVE.iter().any(|id| method.starts_with(id));
        let (count, bytes) = if iterates { (3000, 256 << 10) } else { (600, 64 << 10) };
        assert!(small.count <= count * STEPS && small.bytes <= bytes * STEPS, "{method} {of:?}: {small:?}");
        assert!(scratch.largest <= 2 << 20, "{method} {of:?}: {scratch:?}");
    }
}

/// Local losses with a copy for each of 29 groups of both hidden layers: 29·B numbers a block more.
#[test]
fn a_warm_step_on_copies_of_losses_allocates_no_tensor_memory() {
    let _turn = turn();
    for method in ["activity-perturbation@example", "weight-transpose@example-layer"] {
        let Counted { small, found, .. } = step_allocations(method, 4 * LARGE, |lane| {
            lane.losses = Some(LossesSpec::Local { greedy: true, patches: false, groups: 29, aggregate: true });
            lane.output = Some(OutputSignal::Exact);
        });
        assert!(found.is_empty(), "{method}: {}", found[0].1);
        let bytes = 1 << 20;
        assert!(small.count <= 600 * STEPS && small.bytes <= bytes * STEPS, "{method}: {small:?}");
    }
}

/// The tests above can fail: a tensor made in the counted work is found, by its size or by being large.
#[test]
fn a_tensor_is_noticed() {
    let _turn = turn();
    let make = |shape: &[usize]| drop(Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap());
    for shape in [&[BATCH, 10][..], &[BATCH, 261], &[261], &[100, 1000]] {
        let counted = counting(tensor_sizes(1), LARGE, || make(shape));
        assert_eq!(counted.found.len(), 1, "{shape:?}");
        assert!(counted.found[0].1.contains("zeros"), "{}", counted.found[0].1);
    }
    assert!(counting(tensor_sizes(1), LARGE, || make(&[3])).found.is_empty());
}
