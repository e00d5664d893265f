//! The scalars of a step: one for each guess, and by scope each layer, each example, each copy of a loss.
#![forbid(unsafe_code)]

use std::ops::Range;

/// K × (1 or L) × (1 or B) numbers (a number for each part of a model in place of 1, where it has several; where a loss has copies, so
/// many for each example in place of 1): directional derivatives, coefficients or squared norms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scalars {
    /// Guesses, K.
    guesses: usize,
    /// Where the values of each group of sites that share begin among those of a guess, and where the last end. A group is all sites,
    /// a part of the model, or a site.
    starts: Vec<usize>,
    /// Values, guess by guess, then group by group, then example by example.
    pub values: Vec<f64>,
}

impl Scalars {
    /// One a guess.
    #[cfg(test)]
    pub(super) fn single(values: Vec<f64>) -> Self {
        Self { guesses: values.len(), starts: vec![0, 1], values }
    }

    /// Sets every value to zero and takes new extents: how many numbers each group has.
    pub fn reset(&mut self, guesses: usize, lengths: impl IntoIterator<Item = usize>) {
        self.guesses = guesses;
        self.starts.clear();
        self.starts.push(0);
        let mut end = 0;
        for length in lengths {
            end += length;
            self.starts.push(end);
        }
        self.values.clear();
        self.values.resize(guesses * end, 0.0);
    }

    /// Sets every value to zero and takes the extents of `other`.
    pub fn reset_as(&mut self, other: &Self) {
        self.guesses = other.guesses;
        self.starts.clone_from(&other.starts);
        self.values.clear();
        self.values.resize(other.values.len(), 0.0);
    }

    /// The values of some guesses, one guess after the other.
    pub fn block(&self, guesses: &Range<usize>) -> &[f64] {
        &self.values[guesses.start * self.each()..guesses.end * self.each()]
    }

    /// The same, writable.
    pub fn block_mut(&mut self, guesses: &Range<usize>) -> &mut [f64] {
        let each = self.each();
        &mut self.values[guesses.start * each..guesses.end * each]
    }

    /// Guesses, K.
    pub fn guesses(&self) -> usize {
        self.guesses
    }

    /// Numbers of a guess.
    pub fn each(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// A guess' values of a group, an example after the other; where there is one group, every site has it.
    pub fn row(&self, guess: usize, group: usize) -> &[f64] {
        &self.values[self.range(guess, group)]
    }

    /// The same, writable.
    pub fn row_mut(&mut self, guess: usize, group: usize) -> &mut [f64] {
        let range = self.range(guess, group);
        &mut self.values[range]
    }

    /// Whether every value is finite.
    pub fn all_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    fn range(&self, guess: usize, group: usize) -> Range<usize> {
        let group = group.min(self.starts.len().saturating_sub(2));
        let first = guess * self.each();
        first + self.starts[group]..first + self.starts[group + 1]
    }
}
