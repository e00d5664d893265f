//! How many guesses of a step go through the layers side by side.
//!
//! Beside each other they share the packing of the weights, and take memory each: a signal at every site, two tangents. Once there
//! are rows enough for a product to be as fast as any, more of them only take memory. What a step computes is the same, bit for bit.
#![forbid(unsafe_code)]

use super::cost;
use super::settings::{GuessKind, Settings, SettingsError, refuse};
use crate::model::Tape;
use crate::workspace::{Combine, ScalarSource};

/// Rows of a product that gain little from more, on a CPU: `guesswork bench`, 1024 columns.
const ROWS: usize = 1024;

impl Settings {
    /// The number of guesses at once: what the lane asks for; else, on a CPU, as few as keep the largest product fast. `independent`:
    /// the strategy makes the guesses of a step one without the other.
    ///
    /// # Errors
    /// When the lane asks for what does not divide K, or for a few at a time where all are needed.
    pub fn resolve_at_once(&self, kind: GuessKind, independent: bool, tape: &Tape) -> Result<usize, SettingsError> {
        self.check_at_once(kind)?;
        let all = self.guesses;
        match self.at_once {
            Some(count) if count < all && !independent => {
                refuse("at_once", "the strategy makes the guesses of a step together", "leave it out")
            }
            Some(count) => Ok(count),
            None if independent && self.together(kind).is_none() && tape.device().is_cpu() => {
                let rows = rows(tape);
                Ok(self.parts().find(|count| count * rows >= ROWS).unwrap_or(all))
            }
            None => Ok(all),
        }
    }

    /// What the lane asks for, as far as that can be told before its strategy is prepared.
    pub(super) fn check_at_once(&self, kind: GuessKind) -> Result<(), SettingsError> {
        let Some(count) = self.at_once else { return Ok(()) };
        if !self.parts().any(|part| part == count) {
            let parts: Vec<String> = self.parts().map(|count| count.to_string()).collect();
            let reason = format!("{} guesses do not fall into parts of {count}", self.guesses);
            return refuse("at_once", reason, format!("write {}", parts.join(", ")));
        }
        match self.together(kind) {
            Some(reason) if count < self.guesses => refuse("at_once", reason, "leave it out"),
            _ => Ok(()),
        }
    }

    /// The divisors of K.
    fn parts(&self) -> impl Iterator<Item = usize> + use<> {
        let all = self.guesses;
        (1..=all).filter(move |count| all.is_multiple_of(*count))
    }

    /// Why all guesses of a step are needed at once, whatever the strategy; `None` where they are not.
    fn together(&self, kind: GuessKind) -> Option<&'static str> {
        if kind != GuessKind::Signal {
            Some("only guesses of signals are made a few at a time")
        } else if !self.per_example() {
            Some(
                "at scope batch and layer the guesses of a step are kept side by side; example and example_layer can do with fewer",
            )
        } else if self.combine != Combine::Mean {
            Some("the projection on the span of the guesses needs all of them")
        } else if self.source != ScalarSource::Tangent {
            Some("only guesses that go through the layers as tangents are made a few at a time")
        } else {
            None
        }
    }
}

/// Rows of one guess in the layer that takes the most multiply-adds.
fn rows(tape: &Tape) -> usize {
    let graph = tape.graph();
    let flop = cost::forward(graph, 1);
    let largest = graph.sites.iter().map(|site| site.node).max_by_key(|node| flop[*node]);
    largest.map_or(1, |node| graph.nodes[node].extent.rows) * tape.batch()
}
