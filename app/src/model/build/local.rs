//! Losses of a model's blocks: a linear head on each block's output, and borders that no signal passes.
//!
//! As Ren, Kornblith, Liao and Hinton (2023) train their mixer: the logits' own loss trains what reads out the last block and
//! nothing before it; every block is trained by the losses on its head, and in greedy training by no other.

use super::{BuildError, divides, linear, start};
use crate::model::graph::{GraphBuilder, Source};
use crate::model::layers::{GroupedLinear, MeanTokens, Stop};
use crate::workspace::{InitSpec, LossesSpec};

/// How blocks end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    pub(super) losses: LossesSpec,
    pub(super) classes: usize,
}

impl Blocks {
    /// The block `name` ends at `at`: gives what the next one reads.
    pub(super) fn end(
        self,
        graph: &mut GraphBuilder,
        name: &str,
        at: Source,
        init: InitSpec,
    ) -> Result<Source, BuildError> {
        let LossesSpec::Local { greedy, patches, groups } = self.losses else { return Ok(at) };
        let (head, extent) = (format!("{name}.head"), graph.extent(at));
        divides(&head, "groups", groups, extent.width)?;
        let read = match (patches, extent.rows) {
            (true, 1) => return Err(BuildError::OneRow { layer: head }),
            (true, _) | (false, 1) => at,
            (false, tokens) => graph.add(format!("{head}.mean"), MeanTokens { tokens }, &[at])?,
        };
        let head = if groups == 1 {
            graph.add(head, linear(init, extent.width, self.classes), &[read])?
        } else {
            let (inputs, outputs) = (extent.width / groups, self.classes);
            let (weight, bias) = start(init, inputs, outputs);
            graph.add(head, GroupedLinear { groups, inputs, outputs, weight, bias }, &[read])?
        };
        graph.score(head);
        Ok(if greedy { graph.add(format!("{name}.stop"), Stop, &[at])? } else { at })
    }

    /// The last block has ended at `at`: gives what the logits are read from.
    pub(super) fn read_out(self, graph: &mut GraphBuilder, at: Source) -> Result<Source, BuildError> {
        match (self.losses, at) {
            (LossesSpec::Global, _) => Ok(at),
            (LossesSpec::Local { .. }, Source::Data) => Err(BuildError::NoBlock),
            (LossesSpec::Local { greedy: true, .. }, _) => Ok(at),
            (LossesSpec::Local { greedy: false, .. }, _) => Ok(graph.add("stop", Stop, &[at])?),
        }
    }
}
