//! Passes over rows of class scores: softmax, one-hot rows, a class drawn from probabilities, and the two losses.

use super::access::{expect, read, same_shape, shape, update};
use super::draw::{Draw, DrawKey, draws};
use super::general;
use super::parallel::{row_pairs, rows};
use super::real::{Real, on_real};
use super::reduce::sum_pass;
use super::wide::wide;
use candle_core::{Result, Tensor, bail};

wide! {
    fn softmax_row<T: Real>(dst: &mut [T], a: &[T]) {
        const LANES: usize = 16;
        let mut lanes = [T::of(f64::NEG_INFINITY); LANES];
        let mut chunks = a.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (lane, a) in lanes.iter_mut().zip(chunk) {
                *lane = Real::max(*lane, *a);
            }
        }
        let largest = lanes.iter().chain(chunks.remainder()).copied().fold(lanes[0], Real::max);
        for (d, a) in dst.iter_mut().zip(a) {
            *d = Real::exp(*a - largest);
        }
        let factor = T::of(1.0 / sum_pass(dst));
        dst.iter_mut().for_each(|d| *d *= factor);
    }
}

/// `dst ← softmax(a)` along each row.
///
/// # Errors
/// When the extents or types differ, or both share a storage.
pub fn softmax(dst: &Tensor, a: &Tensor) -> Result<()> {
    let (_, n) = shape(dst);
    same_shape("softmax", dst, a)?;
    if general::takes(dst) {
        return general::softmax(dst, a);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("softmax", [dst], [a], |[dst], [a]| {
        rows(dst, n, 8 * n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                let from = (first + i) * n;
                softmax_row(row, &a[from..from + n]);
            }
        });
    }))
}

/// The class a label stands for, if it is one of `classes`.
fn class<T: Real>(label: T, classes: usize) -> Option<usize> {
    let label = label.wide();
    (label >= 0.0 && label.fract() == 0.0 && label < classes as f64).then_some(label as usize)
}

/// The first label that is no class.
fn check_labels<T: Real>(labels: &[T], classes: usize) -> Result<()> {
    for (row, label) in labels.iter().enumerate() {
        if class(*label, classes).is_none() {
            bail!("the label of example {row} is {label}, expected a whole number from 0 to {}", classes - 1);
        }
    }
    Ok(())
}

/// `dst ← onehot(classes)`: `classes` is rows × 1, `dst` rows × C.
///
/// # Errors
/// When the extents do not fit, a class is none of 0 to C − 1, or both share a storage.
pub fn one_hot(dst: &Tensor, classes: &Tensor) -> Result<()> {
    let (m, n) = shape(dst);
    expect("one_hot", "the list of classes", classes, m, 1)?;
    if general::takes(dst) {
        return general::on_host([dst], [classes], |[dst], [classes]| one_hot(dst, classes));
    }
    on_real!(dst, T => update::<T, _, 1, 1>("one_hot", [dst], [classes], |[dst], [classes]| {
        check_labels(classes, n)?;
        dst.fill(T::ZERO);
        for (row, label) in dst.chunks_exact_mut(n).zip(classes) {
            if let Some(class) = class(*label, n) {
                row[class] = T::ONE;
            }
        }
        Ok(())
    })?)
}

/// `dst[i] ← c`, a class drawn from row i of `probabilities` by inverting its cumulative sum at uniform draw i of `key`.
///
/// # Errors
/// When `dst` is not rows × 1, or both share a storage.
pub fn categorical(dst: &Tensor, probabilities: &Tensor, key: DrawKey) -> Result<()> {
    let (m, n) = shape(probabilities);
    expect("categorical", "the destination", dst, m, 1)?;
    if n == 0 {
        bail!("categorical: there are no classes to draw from");
    }
    if general::takes(dst) {
        return general::on_host([dst], [probabilities], |[dst], [p]| categorical(dst, p, key));
    }
    on_real!(dst, T => update::<T, _, 1, 1>("categorical", [dst], [probabilities], |[dst], [probabilities]| {
        let mut uniform = vec![0.0; m];
        draws(Draw::Uniform, key, 0, &mut uniform);
        for ((d, row), u) in dst.iter_mut().zip(probabilities.chunks_exact(n)).zip(uniform) {
            let threshold = u * row.iter().map(|p| p.wide()).sum::<f64>();
            let mut cumulative = 0.0;
            let drawn = row.iter().position(|p| {
                cumulative += p.wide();
                cumulative > threshold
            });
            *d = T::of(drawn.unwrap_or(n - 1) as f64);
        }
    }))
}

/// Numbers that a score takes as long as: two exponentials in double precision.
const SCORE: usize = 64;

/// What a loss says of each example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Loss of each example.
    pub losses: Vec<f64>,
    /// Examples whose largest score is the label's.
    pub correct: usize,
}

/// Softmax cross-entropy of each row of `logits` (B × C) with `labels` (B × 1). A `signal` (B × C) with a factor receives
/// factor · (softmax(logits) − onehot(labels)).
///
/// # Errors
/// When the extents do not fit, a label is no class, or the signal shares its storage with a source.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, signal: Option<(&Tensor, f64)>) -> Result<Scores> {
    scores("cross_entropy", logits, labels, signal, |row, label, signal| {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|x| (x - largest).exp()).sum();
        let constant = largest + total.ln();
        for (class, x) in row.iter().enumerate() {
            signal(class, (x - constant).exp() - if class == label { 1.0 } else { 0.0 });
        }
        constant - row[label]
    })
}

/// ½‖s − onehot(label)‖² of each row of `logits` (B × C). A `signal` (B × C) with a factor receives
/// factor · (logits − onehot(labels)).
///
/// # Errors
/// When the extents do not fit, a label is no class, or the signal shares its storage with a source.
pub fn squared_error(logits: &Tensor, labels: &Tensor, signal: Option<(&Tensor, f64)>) -> Result<Scores> {
    scores("squared_error", logits, labels, signal, |row, label, signal| {
        let mut total = 0.0;
        for (class, x) in row.iter().enumerate() {
            let error = x - if class == label { 1.0 } else { 0.0 };
            signal(class, error);
            total += 0.5 * error * error;
        }
        total
    })
}

/// Loss of a row of scores, given the label; tells the signal of each class.
type RowLoss = fn(&[f64], usize, &mut dyn FnMut(usize, f64)) -> f64;

/// What `row_loss` says of each row of `logits`, in double precision.
fn scores(
    name: &'static str,
    logits: &Tensor,
    labels: &Tensor,
    signal: Option<(&Tensor, f64)>,
    row_loss: RowLoss,
) -> Result<Scores> {
    let (m, n) = shape(logits);
    expect(name, "the list of labels", labels, m, 1)?;
    if let Some((signal, _)) = signal {
        same_shape(name, signal, logits)?;
    }
    if general::takes(logits) {
        return match signal {
            None => general::on_host([], [logits, labels], |[], [logits, labels]| {
                scores(name, logits, labels, None, row_loss)
            }),
            Some((signal, factor)) => general::on_host([signal], [logits, labels], |[signal], [logits, labels]| {
                scores(name, logits, labels, Some((signal, factor)), row_loss)
            }),
        };
    }
    fn pass<T: Real>(
        n: usize,
        logits: &[T],
        labels: &[T],
        signal: Option<(&mut [T], f64)>,
        row_loss: RowLoss,
    ) -> Result<Scores> {
        check_labels(labels, n)?;
        // Loss and whether the largest score is the label's.
        let mut found = vec![(0.0, false); labels.len()];
        let some = |first: usize, found: &mut [(f64, bool)], mut signal: Option<(&mut [T], f64)>| {
            let mut wide = vec![0.0; n];
            for (i, found) in found.iter_mut().enumerate() {
                let row = (first + i) * n..(first + i + 1) * n;
                let label = class(labels[first + i], n).unwrap_or(0);
                wide.iter_mut().zip(&logits[row]).for_each(|(w, x)| *w = x.wide());
                let loss = row_loss(&wide, label, &mut |class, value| {
                    if let Some((signal, factor)) = &mut signal {
                        signal[i * n + class] = T::of(*factor * value);
                    }
                });
                let best = wide.iter().enumerate().fold(0, |best, (j, x)| if *x > wide[best] { j } else { best });
                *found = (loss, best == label && !loss.is_nan());
            }
        };
        match signal {
            None => rows(&mut found, 1, SCORE * n, |first, found| some(first, found, None)),
            Some((signal, factor)) => row_pairs(&mut found, signal, (1, n), SCORE * n, |first, found, signal| {
                some(first, found, Some((signal, factor)));
            }),
        }
        let correct = found.iter().filter(|(_, correct)| *correct).count();
        Ok(Scores { losses: found.into_iter().map(|(loss, _)| loss).collect(), correct })
    }
    on_real!(logits, T => match signal {
        None => read::<T, _, 2>(name, [logits, labels], |[logits, labels]| pass(n, logits, labels, None, row_loss))?,
        Some((signal, factor)) => update::<T, _, 1, 2>(name, [signal], [logits, labels], |[signal], [logits, labels]| {
            pass(n, logits, labels, Some((signal, factor)), row_loss)
        })?,
    })
}
