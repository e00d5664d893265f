//! The guesses that a mixture is made of, each by its formula, and their rows made equally long.

use guesswork_plugin::{Error, Matrix, Result, Role, Step};
use std::collections::BTreeMap;

/// Draws that one part may make at a site: that many sites may follow one.
const DRAWS: usize = 64;

/// A guess that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guess {
    /// ε ⊙ M_l.
    Noise,
    /// (ε W_{l+1}) ⊙ M_l.
    Transpose,
    /// ((ε ⊙ M_{l+1}) W_{l+1}) ⊙ M_l.
    Downstream,
    /// One ε at the logits, carried down through every layer.
    Jacobian,
    /// (A X_l) ⊙ M_l.
    Mixing,
    /// softmax(S_L) − onehot(c) of a drawn class, carried down through every layer.
    Label,
}

impl Guess {
    /// All, in the order of their draws.
    pub(crate) const ALL: [Self; 6] =
        [Self::Noise, Self::Transpose, Self::Downstream, Self::Jacobian, Self::Mixing, Self::Label];

    /// Number of its draw `draw`.
    pub(crate) fn draw(self, draw: usize) -> usize {
        self as usize * DRAWS + draw
    }

    /// Whether the guess of a site is made of those of the sites that follow.
    fn comes_down(self) -> bool {
        matches!(self, Self::Jacobian | Self::Label)
    }
}

/// Scratch of a call: one matrix a part and site, and columns.
#[derive(Default)]
pub(crate) struct Desk<'s>(BTreeMap<(Guess, usize, bool), Matrix<'s>>);

impl<'s> Desk<'s> {
    /// The matrix of `part` at `site`: its guess, or the noise that it starts from there.
    fn matrix(&mut self, step: &Step<'s>, part: Guess, site: usize, noise: bool) -> Result<Matrix<'s>> {
        if let Some(&matrix) = self.0.get(&(part, site, noise)) {
            return Ok(matrix);
        }
        let place = step.model().sites.get(site).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
        let matrix = step.scratch(step.rows_at(site), place.width)?;
        self.0.insert((part, site, noise), matrix);
        Ok(matrix)
    }

    /// The guess of `part` at `site`. What comes down wants those of the sites that follow first.
    pub(crate) fn guess(&mut self, step: &mut Step<'s>, part: Guess, [site, guess]: [usize; 2]) -> Result<Matrix<'s>> {
        let into = self.matrix(step, part, site, false)?;
        let following = &step.model().sites[site].following;
        if following.is_empty() {
            return self.at_logits(step, part, into, [site, guess]);
        }
        match part {
            Guess::Noise => {
                step.normal(into, site, guess, part.draw(0), 1.0)?;
                step.hadamard(into, step.input(Role::Derivative, site)?)?;
            }
            Guess::Mixing => mix(step, into, [site, guess])?,
            _ => {
                let mut above = Vec::with_capacity(following.len());
                for (way, &next) in following.iter().enumerate() {
                    if part.comes_down() {
                        above.push(self.matrix(step, part, next, false)?);
                        continue;
                    }
                    let noise = self.matrix(step, part, next, true)?;
                    step.normal(noise, site, guess, part.draw(way), 1.0)?;
                    if part == Guess::Downstream && step.model().sites[next].activated {
                        step.hadamard(noise, step.input(Role::Derivative, next)?)?;
                    }
                    above.push(noise);
                }
                step.pull_back(site, &above, into)?;
            }
        }
        Ok(into)
    }

    fn at_logits(
        &mut self,
        step: &mut Step<'s>,
        part: Guess,
        into: Matrix<'s>,
        [site, guess]: [usize; 2],
    ) -> Result<Matrix<'s>> {
        if part != Guess::Label {
            step.normal(into, site, guess, part.draw(0), 1.0)?;
            return Ok(into);
        }
        // C scores after C scores, each with a class of its own.
        let classes = step.model().classes;
        let rows = into.rows() * into.columns() / classes;
        let one_hot = self.matrix(step, part, site, true)?;
        let (one_hot, signal) = (step.reshape(one_hot, rows, classes)?, step.reshape(into, rows, classes)?);
        let (scores, class) = (step.input(Role::Logits, site)?, step.scratch(rows, 1)?);
        step.softmax(signal, step.reshape(scores, rows, classes)?)?;
        step.categorical(class, signal, site, guess, part.draw(0))?;
        step.one_hot(one_hot, class)?;
        step.axpy(signal, -1.0, one_hot)?;
        Ok(into)
    }
}

/// `into ← (A X_l) ⊙ M_l`, A ~ N(0, 1) of B × B on whole examples.
fn mix<'s>(step: &mut Step<'s>, into: Matrix<'s>, [site, guess]: [usize; 2]) -> Result {
    let (batch, x) = (step.batch(), step.input(Role::Activation, site)?);
    let width = x.rows() * x.columns() / batch.max(1);
    let (examples, mixed, a) =
        (step.reshape(x, batch, width)?, step.reshape(into, batch, width)?, step.scratch(batch, batch)?);
    step.normal(a, site, guess, Guess::Mixing.draw(0), 1.0)?;
    step.matmul(mixed, a, examples)?;
    step.hadamard(into, step.input(Role::Derivative, site)?)
}

/// Rows of length √n; rows of zeros stay. `column` and `values` are memory to use.
pub(crate) fn normalise<'s>(step: &mut Step<'s>, e: Matrix<'s>, column: Matrix<'s>, values: &mut Vec<f64>) -> Result {
    let length = (e.columns() as f64).sqrt();
    step.row_dot(column, e, e)?;
    step.read(column, values)?;
    for value in values.iter_mut() {
        *value = if *value > 0.0 { length / value.sqrt() } else { 0.0 };
    }
    step.write(column, values)?;
    step.row_scale(e, column)
}
