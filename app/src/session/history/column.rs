//! The extent of a run of values: what a column of a chart shows.

/// The extent of a run of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Least finite value; +∞ when there is none.
    pub min: f64,
    /// Greatest finite value; −∞ when there is none.
    pub max: f64,
    /// First value, finite or not; NaN of an empty run.
    pub first: f64,
    /// Last value, finite or not; NaN of an empty run.
    pub last: f64,
    /// Whether any value is NaN or infinite.
    pub non_finite: bool,
    /// Values in the run.
    pub count: usize,
}

impl Column {
    /// The extent of nothing.
    pub const EMPTY: Self = Self {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        first: f64::NAN,
        last: f64::NAN,
        non_finite: false,
        count: 0,
    };

    /// The extent of one value.
    pub fn of(value: f64) -> Self {
        let finite = value.is_finite();
        Self {
            min: if finite { value } else { f64::INFINITY },
            max: if finite { value } else { f64::NEG_INFINITY },
            first: value,
            last: value,
            non_finite: !finite,
            count: 1,
        }
    }

    /// The extent of `values` in their order.
    pub fn of_all(values: &[f64]) -> Self {
        values.iter().fold(Self::EMPTY, |sum, value| sum.then(Self::of(*value)))
    }

    /// The extent of this run followed by `next`.
    pub fn then(self, next: Self) -> Self {
        match (self.count, next.count) {
            (0, _) => next,
            (_, 0) => self,
            (count, more) => Self {
                min: self.min.min(next.min),
                max: self.max.max(next.max),
                first: self.first,
                last: next.last,
                non_finite: self.non_finite || next.non_finite,
                count: count + more,
            },
        }
    }

    /// Whether there is a finite value, so that `min` and `max` mean something.
    pub fn is_finite(&self) -> bool {
        self.min <= self.max
    }

    /// Four cells. Where a value is not finite, the greatest stands before the least; where there is but one finite value,
    /// a NaN stands in the second place; where there is none, the infinities stand as in [`Column::EMPTY`].
    pub(super) fn pack(&self) -> [u64; 4] {
        let (low, high) = match self.non_finite {
            false => (self.min, self.max),
            true if self.min < self.max => (self.max, self.min),
            true if self.min == self.max => (self.min, f64::NAN),
            true => (f64::INFINITY, f64::NEG_INFINITY),
        };
        [low, high, self.first, self.last].map(f64::to_bits)
    }

    /// What [`Column::pack`] packed, of a run of `count` values.
    pub(super) fn unpack(cells: [u64; 4], count: usize) -> Self {
        let [low, high, first, last] = cells.map(f64::from_bits);
        let (min, max, non_finite) = if high.is_nan() {
            (low, low, true)
        } else if low == f64::INFINITY && high == f64::NEG_INFINITY {
            (low, high, true)
        } else if low > high {
            (high, low, true)
        } else {
            (low, high, false)
        };
        Self { min, max, first, last, non_finite, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_loses_nothing() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for values in [
            &[1.0][..],
            &[1.0, 2.0],
            &[2.0, nan, 1.0],
            &[3.0, nan],
            &[-inf],
            &[nan, inf, -inf],
            &[0.0, -0.0, inf],
            &[-5.0, -7.0],
        ] {
            let column = Column::of_all(values);
            let found = Column::unpack(column.pack(), values.len());
            // NaN is not equal to itself: bits are compared.
            assert_eq!(format!("{found:?}"), format!("{column:?}"), "{values:?}");
        }
    }
}
