//! Which buffers a pass needs that goes from the input to the logits once: a buffer is taken again when the last layer that
//! reads it is done.
#![forbid(unsafe_code)]

use super::graph::{Graph, Source};

/// Where each node's matrix lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots {
    /// Slot of each node; never that of one of its inputs.
    pub(super) of: Vec<usize>,
    /// Elements of each slot for one example.
    pub(super) elements: Vec<usize>,
}

impl Slots {
    /// One slot a node: every matrix is there until the next pass.
    pub(super) fn apart(graph: &Graph) -> Self {
        Self {
            of: (0..graph.nodes.len()).collect(),
            elements: (0..graph.nodes.len()).map(|n| elements(graph, n)).collect(),
        }
    }

    /// As few as the reading order allows. The matrices of the outputs, and of the nodes that copies of losses are read at, are
    /// there until the next pass.
    pub(super) fn shared(graph: &Graph) -> Self {
        let mut last: Vec<usize> = (0..graph.nodes.len()).collect();
        for (index, node) in graph.nodes.iter().enumerate() {
            for source in &node.inputs {
                if let Source::Node(earlier) = *source {
                    last[earlier] = index;
                }
            }
        }
        for node in graph.outputs.iter().copied().chain(graph.reads()) {
            last[node] = graph.nodes.len();
        }
        let (mut of, mut sizes) = (Vec::with_capacity(graph.nodes.len()), Vec::<usize>::new());
        let mut free: Vec<usize> = Vec::new();
        for index in 0..graph.nodes.len() {
            let needed = elements(graph, index);
            // The least that is large enough; else the largest, which grows.
            let best = free.iter().enumerate().min_by_key(|(_, slot)| match sizes[**slot] {
                size if size >= needed => (0, size),
                size => (1, usize::MAX - size),
            });
            let slot = match best.map(|(place, _)| place) {
                Some(place) => free.swap_remove(place),
                None => {
                    sizes.push(0);
                    sizes.len() - 1
                }
            };
            sizes[slot] = sizes[slot].max(needed);
            of.push(slot);
            free.extend((0..=index).filter(|&node| last[node] == index).map(|node| of[node]));
        }
        Self { of, elements: sizes }
    }
}

fn elements(graph: &Graph, node: usize) -> usize {
    graph.nodes[node].extent.rows * graph.nodes[node].extent.width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Extent, build};
    use crate::workspace::LossesSpec;

    fn graph(model: &str, losses: LossesSpec) -> Graph {
        build::build_with(&ron::from_str(model).unwrap(), losses, Extent::image(3, 16, 16), 10).unwrap()
    }

    /// Every value that a node reads was written last by the node that it asks for, and what is read at the end is still there.
    fn holds(graph: &Graph) {
        let slots = Slots::shared(graph);
        let mut owner = vec![usize::MAX; slots.elements.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            let slot = slots.of[index];
            for source in &node.inputs {
                let Source::Node(earlier) = *source else { continue };
                assert_eq!(owner[slots.of[earlier]], earlier, "`{}` reads what another wrote over", node.name);
                assert_ne!(slots.of[earlier], slot, "`{}` writes over its input", node.name);
            }
            assert!(slots.elements[slot] >= elements(graph, index));
            owner[slot] = index;
        }
        for node in graph.outputs.iter().copied().chain(graph.reads()) {
            assert_eq!(owner[slots.of[node]], node, "what is read at the end is gone");
        }
    }

    #[test]
    fn a_chain_takes_two_whatever_its_depth() {
        for depth in [1, 3, 12] {
            let hidden = vec!["64"; depth].join(", ");
            let graph = graph(&format!("mlp((hidden: [{hidden}]))"), LossesSpec::Global);
            holds(&graph);
            let hidden = Slots::shared(&graph).elements.into_iter().filter(|&elements| elements == 64).count();
            assert!(hidden <= 2, "{hidden} matrices of 64 columns");
        }
    }

    #[test]
    fn branches_and_outputs_keep_what_they_read() {
        for model in [
            "mlp((hidden: [6, 6, 6], norm: true, residual: true))",
            "conv((layers: [(channels: 4, pool: max(2)), (channels: 6)], groups: 2, hidden: [5]))",
            "resnet((stages: [(channels: 4, blocks: 2), (channels: 6, blocks: 1, stride: 2)], groups: 2))",
            "mixer((patch: 2, width: 6, blocks: 2, token_hidden: 5, channel_hidden: 7))",
            "transformer((patch: 2, width: 6, blocks: 2, heads: 3, hidden: 7))",
        ] {
            let graph = graph(model, LossesSpec::Global);
            holds(&graph);
            let total = |slots: Slots| slots.elements.iter().sum::<usize>();
            assert!(2 * total(Slots::shared(&graph)) < total(Slots::apart(&graph)), "{model}");
        }
        let mixer = "local_mixer((patch: 2, width: 12, groups: 2, blocks: 3))";
        for aggregate in [false, true] {
            let losses = LossesSpec::Local { greedy: true, patches: true, groups: 2, aggregate };
            holds(&graph(mixer, losses));
        }
    }
}
