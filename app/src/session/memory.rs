//! Whether a model can be on this machine at all. An allocation that fails ends the program without a word that helps, so
//! what cannot be is told before.
//!
//! A lower bound: the parameters, one estimate of their size, and what every node makes of a batch. Where an activation
//! overwrites its input the derivative beside it takes that place. Knows no lane's buffers.
#![forbid(unsafe_code)]

use crate::model::Graph;
use candle_core::DType;
use thiserror::Error;

/// A model that is larger than the machine.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "its parameters, an estimate of them and the activations of a batch take at least {}, and this machine has {}; make the model or the batch smaller",
    size(*.needed),
    size(u128::from(*.has))
)]
pub struct TooLarge {
    /// Bytes that a lane needs at the least.
    pub needed: u128,
    /// Bytes of memory.
    pub has: u64,
}

/// Refuses a model whose lower bound exceeds the machine's memory, where the system tells it.
pub(super) fn check(graph: &Graph, batch: usize, dtype: DType) -> Result<(), TooLarge> {
    fits(needed(graph, batch, dtype), total())
}

fn fits(needed: u128, has: u64) -> Result<(), TooLarge> {
    if needed > u128::from(has) { Err(TooLarge { needed, has }) } else { Ok(()) }
}

fn needed(graph: &Graph, batch: usize, dtype: DType) -> u128 {
    let product = |extents: &[usize]| extents.iter().map(|extent| *extent as u128).product::<u128>();
    let nodes = graph.nodes.iter().map(|node| {
        let parameters: u128 = node.layer.parameters().iter().map(|parameter| product(&parameter.shape)).sum();
        2 * parameters + product(&[batch, node.extent.rows, node.extent.width])
    });
    nodes.sum::<u128>() * dtype.size_in_bytes() as u128
}

/// Bytes of memory this process can have: the machine's, or its container's where that is less.
fn total() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal:")).unwrap_or(isize::MAX as u64);
    let container = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    machine.min(container.unwrap_or(u64::MAX))
}

/// The value of a line `KEY  123 kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `3.6 TiB`.
fn size(bytes: u128) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Extent, build};

    fn graph(hidden: &str) -> Graph {
        let model = ron::from_str(&format!("mlp((hidden: [{hidden}]))")).expect("a model");
        build::build(&model, Extent::dense(784), 10).expect("a graph")
    }

    #[test]
    fn the_bound_counts_parameters_twice_and_activations_once() {
        // 784·5 + 5 and 5·10 + 10 parameters; 5 activations, their derivatives and 10 logits an example.
        let expected = 4 * (2 * (784 * 5 + 5 + 5 * 10 + 10) + 3 * (5 + 5 + 10));
        assert_eq!(needed(&graph("5"), 3, DType::F32), expected);
        assert_eq!(needed(&graph("5"), 3, DType::F64), 2 * expected);
    }

    #[test]
    fn a_model_beyond_the_machine_is_refused_with_both_sizes() {
        assert_eq!(check(&graph("128, 128"), 128, DType::F32), Ok(()));
        let error = check(&graph("16777216, 16777216"), 128, DType::F64).expect_err("4 PiB");
        assert!(error.to_string().contains("at least 4.0 PiB, and this machine has "), "{error}");
        assert_eq!(fits(10, 10), Ok(()));
        assert_eq!(fits(11, 10), Err(TooLarge { needed: 11, has: 10 }));
    }

    #[test]
    fn the_system_is_read() {
        let text = "MemFree:   1 kB\nMemTotal:       16384 kB\n";
        assert_eq!(kibibytes(text, "MemTotal:"), Some(16 << 20));
        assert_eq!(kibibytes("MemTotal: lots", "MemTotal:"), None);
        assert_eq!(size(1536), "1.5 KiB");
    }
}
