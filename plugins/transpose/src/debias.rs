//! The Jacobian transpose with its bias divided out: E_{l,i} = ε_i (J_i J_iᵀ + ρI)^{−1/2} J_i for each example, ε as without.
//!
//! The rows of J are found by carrying each of the C classes down from the logits, all examples at once; the C × C Gram
//! matrices of the examples are taken apart. At the logits J is the identity, and the guess ε itself.

use guesswork_plugin::{Matrix, Result, Step, dense};

/// The ridge, and memory that is used again from step to step.
#[derive(Debug)]
pub(crate) struct Debias {
    ridge: f64,
    /// Inner products of the rows of J, pair by pair, B a pair.
    inner: Vec<f64>,
    column: Vec<f64>,
    noise: Vec<f64>,
    /// (J Jᵀ + ρI)^{−1/2} of every example.
    roots: Vec<f64>,
    work: Vec<f64>,
}

impl Debias {
    pub(crate) fn new(ridge: f64) -> Self {
        let empty = Vec::new;
        Self { ridge, inner: empty(), column: empty(), noise: empty(), roots: empty(), work: empty() }
    }

    pub(crate) fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let (batch, classes, last) = (step.batch(), step.model().classes, step.model().sites.len() - 1);
        let column = step.scratch(batch, 1)?;
        let jacobian = jacobian(step, column)?;
        for guess in step.guesses() {
            step.normal(step.signal(last, guess)?, last, guess, 0, 1.0)?;
        }
        for (site, rows) in jacobian.iter().enumerate().take(last) {
            self.roots(step, rows, column)?;
            let term = step.scratch(batch, rows[0].columns())?;
            for guess in step.guesses() {
                step.read(step.signal(last, guess)?, &mut self.noise)?;
                let signal = step.reshape(step.signal(site, guess)?, batch, term.columns())?;
                step.fill(signal, 0.0)?;
                for (class, &row) in rows.iter().enumerate() {
                    self.column.clear();
                    let of = |i: usize| {
                        let root = &self.roots[(i * classes + class) * classes..(i * classes + class + 1) * classes];
                        dense::dot(root, &self.noise[i * classes..(i + 1) * classes])
                    };
                    self.column.extend((0..batch).map(of));
                    step.write(column, &self.column)?;
                    step.copy(term, row)?;
                    step.row_scale(term, column)?;
                    step.axpy(signal, 1.0, term)?;
                }
            }
        }
        Ok(())
    }

    /// The inverse square roots of the Gram matrices of `rows`.
    fn roots<'s>(&mut self, step: &mut Step<'s>, rows: &[Matrix<'s>], column: Matrix<'s>) -> Result {
        let (batch, classes) = (step.batch(), rows.len());
        self.inner.clear();
        for (a, &left) in rows.iter().enumerate() {
            for &right in &rows[..=a] {
                step.row_dot(column, left, right)?;
                step.read(column, &mut self.column)?;
                self.inner.extend_from_slice(&self.column);
            }
        }
        self.roots.clear();
        self.roots.resize(batch * classes * classes, 0.0);
        for i in 0..batch {
            let gram = &mut self.roots[i * classes * classes..(i + 1) * classes * classes];
            for a in 0..classes {
                for b in 0..=a {
                    let value = self.inner[(a * (a + 1) / 2 + b) * batch + i];
                    (gram[a * classes + b], gram[b * classes + a]) = (value, value);
                }
            }
            dense::apply(gram, classes, &mut self.work, |x| (x.max(0.0) + self.ridge).sqrt().recip());
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
