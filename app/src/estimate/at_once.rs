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
        let all = self.guesses;
        let divisors = || (1..=all).filter(|count| all.is_multiple_of(*count));
        let together = self.together(kind, independent);
        match (self.at_once, together) {
            (Some(count), _) if !divisors().any(|divisor| divisor == count) => {
                let parts: Vec<String> = divisors().map(|count| count.to_string()).collect();
                let reason = format!("{all} guesses do not fall into parts of {count}");
                refuse("at_once", reason, format!("write {}", parts.join(", ")))
            }
            (Some(count), Some(reason)) if count < all => refuse("at_once", reason, "leave it out"),
            (Some(count), _) => Ok(count),
            (None, None) if tape.device().is_cpu() => {
                let rows = rows(tape);
                Ok(divisors().find(|count| count * rows >= ROWS).unwrap_or(all))
            }
            (None, _) => Ok(all),
        }
    }

    /// Why all guesses of a step are needed at once; `None` where they are not.
    fn together(&self, kind: GuessKind, independent: bool) -> Option<&'static str> {
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
        } else if !independent {
            Some("the strategy makes the guesses of a step together")
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
