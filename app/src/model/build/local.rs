//! Losses of a model's blocks: a linear head on each block's output, and borders that no signal passes.
//!
//! As Ren, Kornblith, Liao and Hinton (2023) train their mixer: the logits' own loss trains what reads out the last block and
//! nothing before it; every block is trained by the losses on its head, and in greedy training by no other. A loss for each patch and
//! group is a copy of the block's own, as theirs, or one of a head that sees no other patch or group.

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
        let LossesSpec::Local { greedy, patches, groups, aggregate } = self.losses else { return Ok(at) };
        let (head, extent) = (format!("{name}.head"), graph.extent(at));
        divides(&head, "groups", groups, extent.width)?;
        if patches && extent.rows == 1 {
            return Err(BuildError::OneRow { layer: head });
        }
        let divided = patches || groups > 1;
        if divided && aggregate && !greedy {
            return Err(BuildError::Copies);
        }
        let read = match extent.rows {
            tokens if tokens > 1 && (aggregate || !patches) => {
                graph.add(format!("{head}.mean"), MeanTokens { tokens }, &[at])?
            }
            _ => at,
        };
        let head = if groups == 1 || aggregate {
            graph.add(head, linear(init, extent.width, self.classes), &[read])?
        } else {
            let (inputs, outputs) = (extent.width / groups, self.classes);
            let (weight, bias) = start(init, inputs, outputs);
            graph.add(head, GroupedLinear { groups, inputs, outputs, weight, bias }, &[read])?
        };
        let copies = (divided && aggregate).then_some((at, if patches { extent.rows } else { 1 }, groups));
        graph.score(head, copies);
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
