//! Guesses of noise that starts at layers above and is carried down, with their bias divided out: E_{l,i} = ε_i L_i⁻¹ A_i,
//! L_i L_iᵀ = A_i A_iᵀ + ρI, the rows of A_i what each number of the noise becomes on its way to layer l.
//!
//! The rows are found by carrying units: as many ways down as noise has numbers an example, all examples at once. So it works on any
//! architecture, at any depth, and with any mask on the way, as far as [`Debias::check`] has room.

use guesswork_plugin::{Debias, Matrix, Model, Result, Step};

/// Debiasing, and for each site the sites that noise starts at, one a draw.
#[derive(Debug)]
pub(crate) struct Debiased {
    debias: Debias,
    starts: Vec<Vec<usize>>,
}

/// Numbers that an example has at a site.
fn size(model: &Model, site: usize) -> usize {
    model.sites.get(site).map_or(0, |site| site.rows_per_example.saturating_mul(site.width))
}

impl Debiased {
    pub(crate) fn new(debias: Debias) -> Self {
        Self { debias, starts: Vec::new() }
    }

    /// Takes up the model, whose `starts` are those of a site.
    pub(crate) fn prepare(&mut self, model: &Model, starts: impl Fn(usize) -> Vec<usize>) -> Result {
        self.starts = (0..model.sites.len()).map(starts).collect();
        let numbers = |site: usize| {
            let starts = self.starts[site].iter().map(|&start| size(model, start));
            starts.fold(0, usize::saturating_add)
        };
        Debias::check(model, numbers)
    }

    /// Writes the guesses of `site`, which is no output. `carry` writes what comes down from the starts, one matrix each, which it may
    /// change on the way.
    pub(crate) fn propose<'s>(
        &mut self,
        step: &mut Step<'s>,
        site: usize,
        mut carry: impl FnMut(&mut Step<'s>, &[Matrix<'s>], Matrix<'s>) -> Result,
    ) -> Result {
        let (batch, model) = (step.batch(), step.model());
        let Self { debias, starts } = self;
        // A unit is a column of a source, an example's rows side by side.
        let (mut sources, mut units): (Vec<Matrix<'s>>, Vec<(Matrix<'s>, usize)>) = (Vec::new(), Vec::new());
        for &start in &starts[site] {
            let source = step.scratch(step.rows_at(start), model.sites[start].width)?;
            let examples = step.reshape(source, batch, size(model, start))?;
            units.extend((0..examples.columns()).map(|unit| (examples, unit)));
            sources.push(source);
        }
        let (column, below) = (step.scratch(batch, 1)?, step.scratch(step.rows_at(site), model.sites[site].width)?);
        debias.factor(step, units.len(), |step, row| {
            let (examples, unit) = units[row];
            sources.iter().try_for_each(|&source| step.fill(source, 0.0))?;
            step.fill(column, unit as f64)?;
            step.one_hot(examples, column)?;
            carry(step, &sources, below)?;
            Ok(below)
        })?;
        for guess in step.guesses() {
            for (draw, &source) in sources.iter().enumerate() {
                step.normal(source, site, guess, draw, 1.0)?;
            }
            debias.shape(step, &sources)?;
            carry(step, &sources, step.signal(site, guess)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use guesswork_plugin::dense;
    use guesswork_plugin::testing::Grid;

    /// ε L⁻¹ with L Lᵀ = A Aᵀ + ρI.
    pub(crate) fn divided(noise: &[f64], a: &Grid, ridge: f64) -> Grid {
        let n = a.rows();
        let mut l = a.matmul(&a.t()).values().to_vec();
        (0..n).for_each(|r| l[r * n + r] += ridge);
        dense::cholesky(&mut l, n, 0.0);
        let mut noise = noise.to_vec();
        dense::divide(&mut noise, &l, n);
        Grid::new(1, n, noise)
    }
}
