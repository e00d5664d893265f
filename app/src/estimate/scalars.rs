//! The scalars of a step: one for each guess, and by scope each layer, each example.
#![forbid(unsafe_code)]

/// K × (1 or L) × (1 or B) numbers (a number for each part of a model in place of 1, where it has several): directional derivatives, coefficients or squared norms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scalars {
    /// Guesses, K.
    pub guesses: usize,
    /// Groups of sites that share: 1, or the parts of the model; else L.
    pub sites: usize,
    /// 1 where the examples share, else B.
    pub examples: usize,
    /// Values, guess by guess, then site by site.
    pub values: Vec<f64>,
}

impl Scalars {
    /// All zero.
    pub fn zeros(guesses: usize, sites: usize, examples: usize) -> Self {
        Self { guesses, sites, examples, values: vec![0.0; guesses * sites * examples] }
    }

    /// Sets every value to zero and takes new extents.
    pub fn reset(&mut self, guesses: usize, sites: usize, examples: usize) {
        (self.guesses, self.sites, self.examples) = (guesses, sites, examples);
        self.values.clear();
        self.values.resize(guesses * sites * examples, 0.0);
    }

    /// The examples' values of a guess at a site; a shared site or example has one entry.
    pub fn row(&self, guess: usize, site: usize) -> &[f64] {
        let start = self.start(guess, site);
        &self.values[start..start + self.examples]
    }

    /// The same, writable.
    pub fn row_mut(&mut self, guess: usize, site: usize) -> &mut [f64] {
        let start = self.start(guess, site);
        &mut self.values[start..start + self.examples]
    }

    /// Whether every value is finite.
    pub fn all_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    fn start(&self, guess: usize, site: usize) -> usize {
        (guess * self.sites + site.min(self.sites - 1)) * self.examples
    }
}
