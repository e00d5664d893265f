//! The Jacobian transpose with its bias divided out: E_{l,i} = ε_i L_{l,i}⁻¹ J_i for each example, L_{l,i} L_{l,i}ᵀ = J_i J_iᵀ + ρI, ε as
//! without.
//!
//! The rows of J are found by carrying each of the C classes down from the logits, all examples and layers at once. At the logits J is
//! the identity, and the guess ε itself.

use guesswork_plugin::{Debias, Matrix, Result, Step};

/// Debiasing, and memory that is used again from step to step.
#[derive(Debug)]
pub(crate) struct Descent {
    debias: Debias,
    column: Vec<f64>,
    noise: Vec<f64>,
}

impl Descent {
    pub(crate) fn new(debias: Debias) -> Self {
        Self { debias, column: Vec::new(), noise: Vec::new() }
    }

    pub(crate) fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let (batch, classes, last) = (step.batch(), step.model().classes, step.model().sites.len() - 1);
        let (column, noise) = (step.scratch(batch, 1)?, step.scratch(batch, classes)?);
        let jacobian = jacobian(step, column)?;
        for guess in step.guesses() {
            step.normal(step.signal(last, guess)?, last, guess, 0, 1.0)?;
        }
        for (site, rows) in jacobian.iter().enumerate().take(last) {
            self.debias.factor(step, classes, |_, class| Ok(rows[class]))?;
            let term = step.scratch(batch, rows[0].columns())?;
            for guess in step.guesses() {
                step.copy(noise, step.signal(last, guess)?)?;
                self.debias.shape(step, &[noise])?;
                step.read(noise, &mut self.noise)?;
                let signal = step.reshape(step.signal(site, guess)?, batch, term.columns())?;
                step.fill(signal, 0.0)?;
                for (class, &row) in rows.iter().enumerate() {
                    self.column.clear();
                    self.column.extend(self.noise.iter().skip(class).step_by(classes));
                    step.write(column, &self.column)?;
                    step.copy(term, row)?;
                    step.row_scale(term, column)?;
                    step.axpy(signal, 1.0, term)?;
                }
            }
        }
        Ok(())
    }
}

/// For each site the rows of J: matrix c is the signal of class c, B × (P_l·n_l), an example's rows side by side.
fn jacobian<'s>(step: &mut Step<'s>, column: Matrix<'s>) -> Result<Vec<Vec<Matrix<'s>>>> {
    let (model, batch) = (step.model(), step.batch());
    let mut found = vec![Vec::new(); model.sites.len()];
    for class in 0..model.classes {
        let mut signals = Vec::with_capacity(model.sites.len());
        for (site, place) in model.sites.iter().enumerate() {
            signals.push(step.scratch(step.rows_at(site), place.width)?);
        }
        for (site, place) in model.sites.iter().enumerate().rev() {
            if place.following.is_empty() {
                step.fill(column, class as f64)?;
                step.one_hot(signals[site], column)?;
            } else {
                let above: Vec<_> = place.following.iter().map(|&next| signals[next]).collect();
                step.pull_back(site, &above, signals[site])?;
            }
            found[site].push(step.reshape(signals[site], batch, place.rows_per_example * place.width)?);
        }
    }
    Ok(found)
}
