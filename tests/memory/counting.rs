//! An allocator that counts what is asked of it, on all threads, while it is told to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Alignment from which on a block is taken for scratch of the GEMM crate: a vector of numbers has that of one number.
const SCRATCH_ALIGNMENT: usize = 64;

/// The system's allocator, counted.
pub struct Counting;

/// Blocks of one sort.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks {
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Bytes of the largest.
    pub largest: usize,
}

/// What was allocated while counting.
#[derive(Debug, Default)]
pub struct Counted {
    /// Blocks that no one looked for.
    pub small: Blocks,
    /// Blocks aligned for vector registers.
    pub scratch: Blocks,
    /// Blocks that were looked for: bytes, and who asked for them.
    pub found: Vec<(usize, String)>,
}

/// A count under way.
#[derive(Debug)]
struct Count {
    sizes: BTreeSet<usize>,
    from: usize,
    counted: Counted,
}

static COUNT: Mutex<Option<Count>> = Mutex::new(None);
/// One test at a time: all threads are counted.
static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread is counting a block: what that takes is not counted.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no other test counts, and holds them off.
pub fn turn() -> MutexGuard<'static, ()> {
    lock(&TURN)
}

/// Counts what `work` allocates on any thread. Blocks of the given `sizes`, and those of `from` bytes and more, are listed
/// with a backtrace.
pub fn counting(sizes: BTreeSet<usize>, from: usize, work: impl FnOnce()) -> Counted {
    *lock(&COUNT) = Some(Count { sizes, from, counted: Counted::default() });
    work();
    let count = lock(&COUNT).take();
    count.map(|count| count.counted).unwrap_or_default()
}

fn count(layout: Layout) {
    if INSIDE.replace(true) {
        return;
    }
    if let Some(Count { sizes, from, counted }) = lock(&COUNT).as_mut() {
        let size = layout.size();
        let scratch = layout.align() >= SCRATCH_ALIGNMENT;
        if !scratch && (size >= *from || sizes.contains(&size)) {
            counted.found.push((size, Backtrace::force_capture().to_string()));
        } else {
            let blocks = if scratch { &mut counted.scratch } else { &mut counted.small };
            blocks.count += 1;
            blocks.bytes += size;
            blocks.largest = blocks.largest.max(size);
        }
    }
    INSIDE.set(false);
}

// SAFETY: every call is the system allocator's, with the caller's arguments; counting neither frees nor moves a block,
// and what it allocates itself is not counted, so that it does not call itself again.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if let Ok(grown) = Layout::from_size_align(size, layout.align()) {
            count(grown);
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
