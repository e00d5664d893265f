//! Memory for packed factors: one piece a thread, which grows to the largest need and is used again.
#![allow(unsafe_code)]

use super::Tiled;
use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

thread_local! {
    /// Packed factors.
    static SCRATCH: RefCell<Aligned> = const { RefCell::new(Aligned { memory: NonNull::dangling(), bytes: 0 }) };
}

/// Memory that starts at a cache line.
struct Aligned {
    memory: NonNull<u8>,
    bytes: usize,
}

impl Aligned {
    const LINE: usize = 64;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, Self::LINE).unwrap_or_else(|_| std::process::abort())
    }

    fn grow(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.release();
            let layout = Self::layout(bytes.next_multiple_of(4096));
            // SAFETY: the layout is not empty.
            let memory = unsafe { std::alloc::alloc_zeroed(layout) };
            let Some(memory) = NonNull::new(memory) else { std::alloc::handle_alloc_error(layout) };
            (self.memory, self.bytes) = (memory, layout.size());
        }
    }

    fn release(&mut self) {
        if self.bytes > 0 {
            // SAFETY: allocated with this layout in `grow`.
            unsafe { std::alloc::dealloc(self.memory.as_ptr(), Self::layout(self.bytes)) };
            (self.memory, self.bytes) = (NonNull::dangling(), 0);
        }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        self.release();
    }
}

/// Calls `f` with `length` numbers of this thread's scratch, aligned to a cache line, of undefined content.
pub(super) fn with_scratch<T: Tiled, R>(length: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.grow(length * size_of::<T>());
        // SAFETY: as many bytes, zeroed once and since then written as f32 or f64, of which all bit patterns are numbers;
        // the borrow keeps them for this call.
        f(unsafe { std::slice::from_raw_parts_mut(scratch.memory.as_ptr().cast::<T>(), length) })
    })
}
