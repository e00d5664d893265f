//! Memory for packed factors, which grows to the largest need and is used again: a piece for each thread, and one for what
//! threads share.
#![allow(unsafe_code)]

use super::Tiled;
use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

thread_local! {
    /// Packed factors.
    static SCRATCH: RefCell<Aligned> = const { RefCell::new(Aligned::EMPTY) };
    /// What waits to be shared. While a thread waits for others it may begin another product, which takes its own.
    static SHARED: Cell<Vec<Aligned>> = const { Cell::new(Vec::new()) };
}

/// Memory that starts at a cache line.
struct Aligned {
    memory: NonNull<u8>,
    bytes: usize,
}

impl Aligned {
    const LINE: usize = 64;
    const EMPTY: Self = Self { memory: NonNull::dangling(), bytes: 0 };

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

    /// As many numbers of it.
    fn numbers<T: Tiled>(&mut self, length: usize) -> &mut [T] {
        self.grow(length * size_of::<T>());
        // SAFETY: as many bytes, zeroed once and since then written as f32 or f64, of which all bit patterns are numbers.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr().cast::<T>(), length) }
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
    SCRATCH.with_borrow_mut(|scratch| f(scratch.numbers(length)))
}

/// As [`with_scratch`], for `f` that waits for other threads meanwhile.
pub(super) fn with_shared<T: Tiled, R>(length: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut waiting = SHARED.take();
    let mut scratch = waiting.pop().unwrap_or(Aligned::EMPTY);
    SHARED.set(waiting);
    let result = f(scratch.numbers(length));
    let mut waiting = SHARED.take();
    waiting.push(scratch);
    SHARED.set(waiting);
    result
}
