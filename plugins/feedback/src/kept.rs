//! Random matrices that are drawn once and kept by the host, in checkpoints too.

use guesswork_plugin::{Error, Matrix, Result, Step};

/// Most elements of one feedback matrix: 512 MiB in single precision.
const LARGEST: usize = 1 << 27;

/// Refuses a matrix that would be larger than anyone wants to keep.
pub(crate) fn bounded(rows: usize, columns: usize, place: &str, advice: &str) -> Result {
    match rows.checked_mul(columns) {
        Some(count) if count <= LARGEST => Ok(()),
        _ => Err(Error::unsupported(format!(
            "the feedback matrix {place} would be {rows}×{columns}, more than {LARGEST} elements: {advice}"
        ))),
    }
}

/// Persistent matrix `index`: from N(0, 2/columns), as He draws the weight that it stands for, by draw 0 of `site` and `guess` at
/// the step it is first seen at, and the same ever after.
pub(crate) fn feedback<'s>(step: &mut Step<'s>, index: usize, [site, guess, draw]: [usize; 3]) -> Result<Matrix<'s>> {
    let matrix = step.persistent(index)?;
    if step.dot(matrix, matrix)? == 0.0 {
        step.normal(matrix, site, guess, draw, (2.0 / matrix.columns() as f64).sqrt())?;
    }
    Ok(matrix)
}
