//! Noise at the layers above a site, shaped there and carried down.

use guesswork_plugin::{Error, LayerKind, Matrix, Model, Result, Step};
use std::collections::BTreeMap;

/// Noise of a call, one matrix a layer above, shared by all targets and guesses.
#[derive(Default)]
pub(crate) struct Noise<'s>(BTreeMap<usize, Matrix<'s>>);

impl<'s> Noise<'s> {
    fn at(&mut self, step: &Step<'s>, next: usize) -> Result<Matrix<'s>> {
        if let Some(&matrix) = self.0.get(&next) {
            return Ok(matrix);
        }
        let site = step.model().sites.get(next).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
        let matrix = step.scratch(step.rows_at(next), site.width)?;
        self.0.insert(next, matrix);
        Ok(matrix)
    }

    /// Writes the guess of `site`: fresh noise at each site that follows it, changed by `shape`, carried down; at the logits
    /// noise as it is. Draw f is that of the f-th site that follows.
    pub(crate) fn carry(
        &mut self,
        step: &mut Step<'s>,
        [site, guess]: [usize; 2],
        mut shape: impl FnMut(&mut Step<'s>, usize, Matrix<'s>) -> Result,
    ) -> Result {
        let signal = step.signal(site, guess)?;
        let following = &step.model().sites[site].following;
        if following.is_empty() {
            return step.normal(signal, site, guess, 0, 1.0);
        }
        let mut sources = Vec::with_capacity(following.len());
        for (draw, &next) in following.iter().enumerate() {
            let source = self.at(step, next)?;
            step.normal(source, site, guess, draw, 1.0)?;
            shape(step, next, source)?;
            sources.push(source);
        }
        step.pull_back(site, &sources, signal)
    }
}

/// Whether the way down from `next` is one weight matrix with a spectrum of its own. The scale of a norm is diagonal and a
/// grouped layer's weight several matrices: noise above them stays as it is.
pub(crate) fn has_spectrum(model: &Model, next: usize) -> bool {
    model.sites.get(next).is_some_and(|site| matches!(site.layer, LayerKind::Linear | LayerKind::Conv2d))
}

/// Refuses models in which W_{l+1} diag(M_l) of an example is no matrix of its own.
pub(crate) fn needs_chain(model: &Model, advice: &str) -> Result {
    if model.is_chain() {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "it takes W_{{l+1}} diag(M_l) of each example apart, which is one matrix only in a chain of dense layers with an \
         activation after each; this model has other layers between its sites: {advice}"
    )))
}
