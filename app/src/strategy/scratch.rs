//! Scratch of an instance's calls: what a call took goes back to the tape's store when it ends, but for what is small, which
//! the next call takes again without asking the store.
#![forbid(unsafe_code)]

use crate::kernel::{Arena, Scratch};
use candle_core::{Result, Tensor};

/// Most elements that are kept from call to call.
const SMALL: usize = 1 << 14;

/// The scratch of a call, and behind it what is kept of earlier ones.
#[derive(Debug, Default)]
pub(super) struct Kept {
    matrices: Vec<Scratch>,
    /// How many are of this call.
    count: usize,
    /// Elements of those.
    elements: usize,
}

impl Kept {
    /// A matrix of undefined content for the rest of the call.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn take(&mut self, arena: &Arena, rows: usize, columns: usize) -> Result<&Tensor> {
        let again = match self.matrices.get_mut(self.count) {
            Some(kept) => arena.again(kept, rows, columns),
            None => false,
        };
        if !again {
            // What does not fit goes back first: it may be lent in the extents wanted.
            self.matrices.truncate(self.count);
            self.matrices.push(arena.take(rows, columns)?);
        }
        self.count += 1;
        self.elements += rows * columns;
        Ok(&self.matrices[self.count - 1])
    }

    /// Elements taken by this call.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Ends the call.
    pub fn end(&mut self) {
        if self.elements > SMALL {
            self.matrices.clear();
        }
        (self.count, self.elements) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn what_is_small_is_taken_again_and_what_is_large_goes_back() {
        let (arena, other) = (Arena::new(DType::F32, &Device::Cpu), Arena::new(DType::F32, &Device::Cpu));
        let mut kept = Kept::default();
        let ids = |kept: &mut Kept, arena: &Arena| {
            let ids = [(4, 8), (4, 8), (3, 5)].map(|(rows, columns)| {
                let matrix = kept.take(arena, rows, columns).unwrap();
                assert_eq!(matrix.dims(), [rows, columns]);
                matrix.id()
            });
            assert!(ids[0] != ids[1] && ids[1] != ids[2] && kept.elements() == 79);
            kept.end();
            ids
        };
        let first = ids(&mut kept, &arena);
        assert_eq!(ids(&mut kept, &arena), first);
        // A store of its own lends nothing of another's.
        assert!(ids(&mut kept, &other).iter().all(|id| !first.contains(id)));
        let large = kept.take(&other, 256, 256).unwrap().id();
        kept.end();
        assert_eq!(other.take(256, 256).unwrap().id(), large);
    }
}
