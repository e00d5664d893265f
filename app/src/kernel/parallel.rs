//! Cutting a pass into pieces that the pool's threads share.
//!
//! Where the cuts fall depends on extents only, never on the number of threads, and every reduction adds its pieces in
//! order: results are the same bit for bit at any thread count.

use rayon::prelude::*;
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Numbers that one piece of a pass holds.
pub(super) const GRAIN: usize = 1 << 14;

/// A pass shorter than this runs on the calling thread.
const WORTHWHILE: usize = 2 * GRAIN;

/// How long a thread of the pool looks for work in vain before it goes to sleep after all.
const PATIENCE: Duration = Duration::from_micros(200);

/// How long it looks without giving its processor to others meanwhile.
const EAGERNESS: Duration = Duration::from_micros(20);

/// Hints that a thread waits, between two looks.
const SPINS: usize = 8;

/// Runs `work` while the pool's other threads stay awake: a step is a long row of short passes, with less between two of
/// them than it takes to wake a thread. Changes no result. Outside a pool, and in one of one thread, just `work`.
pub fn attended<R>(work: impl FnOnce() -> R) -> R {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let Some(caller) = rayon::current_thread_index() else { return work() };
    let over = AtomicBool::new(false);
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| attend(caller, &over));
        }
        let _over = Over(&over);
        work()
    })
}

thread_local! {
    /// Whether the thread is in [`attend`].
    static ATTENDS: Cell<bool> = const { Cell::new(false) };
}

/// Takes on what other threads of the pool have to share, until it is over or there has been nothing for a while. A thread
/// that comes here while it waits for others in the middle of its own work, as the caller may, is not kept.
fn attend(caller: usize, over: &AtomicBool) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            ATTENDS.set(false);
        }
    }
    if rayon::current_thread_index() == Some(caller) || ATTENDS.replace(true) {
        return;
    }
    let _leave = Leave;
    let mut idle = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            idle = Instant::now();
            continue;
        }
        let waited = idle.elapsed();
        if waited > PATIENCE {
            return;
        }
        if waited < EAGERNESS {
            (0..SPINS).for_each(|_| std::hint::spin_loop());
        } else {
            std::thread::yield_now();
        }
    }
}

/// Runs `work` with 0 to `count` − 1, on as many threads as have nothing else to do. Those that are through wait awake for the others
/// that have begun, up to [`PATIENCE`]: parts of one product end almost together, sooner than a thread wakes.
pub(super) fn together(count: usize, work: impl Fn(usize) + Sync) {
    fn halves(tasks: Range<usize>, work: &(impl Fn(usize) + Sync)) {
        match tasks.len() {
            0 => {}
            1 => work(tasks.start),
            count => {
                let middle = tasks.start + count / 2;
                rayon::join(|| halves(tasks.start..middle, work), || halves(middle..tasks.end, work));
            }
        }
    }
    if count <= 1 {
        return halves(0..count, &work);
    }
    let (begun, through) = (AtomicUsize::new(0), AtomicUsize::new(0));
    halves(0..count, &|task| {
        begun.fetch_add(1, Ordering::Relaxed);
        work(task);
        through.fetch_add(1, Ordering::Relaxed);
        let mut since = None;
        // Nobody is waited for who has not begun: that may be this thread itself.
        while through.load(Ordering::Relaxed) < begun.load(Ordering::Relaxed) {
            for _ in 0..SPINS {
                std::hint::spin_loop();
            }
            if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                break;
            }
        }
    });
}

/// Calls `f(start, piece)` for the pieces of `dst`, none of which crosses a multiple of `period`.
pub(super) fn pieces<T: Send>(dst: &mut [T], period: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if dst.is_empty() || period == 0 {
        return;
    }
    let parallel = dst.len() >= WORTHWHILE;
    let block = |first: usize, block: &mut [T]| {
        if parallel {
            block.par_chunks_mut(GRAIN).enumerate().for_each(|(i, piece)| f(first + i * GRAIN, piece));
        } else {
            f(first, block);
        }
    };
    if parallel && period < WORTHWHILE {
        // Whole periods a task, as many as make a grain.
        let group = period * GRAIN.div_ceil(period);
        dst.par_chunks_mut(group).enumerate().for_each(|(i, group_of)| {
            for (j, piece) in group_of.chunks_mut(period).enumerate() {
                f(i * group + j * period, piece);
            }
        });
    } else {
        for (i, piece) in dst.chunks_mut(period).enumerate() {
            block(i * period, piece);
        }
    }
}

/// Calls `f(start, piece)` for pieces of `dst` of `grain` numbers: a pass that does much for each.
pub(super) fn grains<T: Send>(dst: &mut [T], grain: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if dst.len() < 2 * grain {
        return f(0, dst);
    }
    dst.par_chunks_mut(grain).enumerate().for_each(|(i, piece)| f(i * grain, piece));
}

/// Calls `f(start, piece)` for fixed pieces of `dst` and adds what it returns, in order.
pub(super) fn sums<T: Send>(dst: &mut [T], f: impl Fn(usize, &mut [T]) -> f64 + Sync) -> f64 {
    if dst.len() < WORTHWHILE {
        return dst.chunks_mut(GRAIN).enumerate().map(|(i, piece)| f(i * GRAIN, piece)).sum();
    }
    let parts: Vec<f64> = dst.par_chunks_mut(GRAIN).enumerate().map(|(i, piece)| f(i * GRAIN, piece)).collect();
    parts.into_iter().sum()
}

/// Calls `f(first_row, rows)` for groups of whole rows of `dst`, each `columns` wide; `cost` is the number of numbers a
/// row reads and writes.
pub(super) fn rows<T: Send>(dst: &mut [T], columns: usize, cost: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if dst.is_empty() || columns == 0 {
        return;
    }
    let count = dst.len() / columns;
    if count * cost < WORTHWHILE {
        return f(0, dst);
    }
    let group = (GRAIN / cost.max(1)).max(1);
    dst.par_chunks_mut(group * columns).enumerate().for_each(|(i, rows)| f(i * group, rows));
}

/// `f(start, end)` over fixed pieces of `0..length`, the results in order.
pub(super) fn map<R: Send>(length: usize, f: impl Fn(usize, usize) -> R + Sync) -> Vec<R> {
    let piece = |i: usize| f(i * GRAIN, ((i + 1) * GRAIN).min(length));
    let count = length.div_ceil(GRAIN);
    if length >= WORTHWHILE { (0..count).into_par_iter().map(piece).collect() } else { (0..count).map(piece).collect() }
}

/// `f(0)` to `f(count − 1)` in order, for a pass over `work` numbers.
pub(super) fn tasks<R: Send>(count: usize, work: usize, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    if work < WORTHWHILE {
        return (0..count).map(f).collect();
    }
    let least = (GRAIN * count).div_ceil(work.max(1)).max(1);
    (0..count).into_par_iter().with_min_len(least).map(&f).collect()
}

/// Calls `f(start, piece of a, piece of b)` for the pieces of two equally long destinations.
pub(super) fn pairs<T: Send>(a: &mut [T], b: &mut [T], f: impl Fn(usize, &mut [T], &mut [T]) + Sync) {
    if a.len() < WORTHWHILE {
        return f(0, a, b);
    }
    let both = a.par_chunks_mut(GRAIN).zip(b.par_chunks_mut(GRAIN));
    both.enumerate().for_each(|(i, (a, b))| f(i * GRAIN, a, b));
}

/// Calls `f(first_row, rows of a, rows of b)` for groups of whole rows of two destinations with as many rows each; `cost` as for [`rows`].
pub(super) fn row_pairs<T: Send, U: Send>(
    a: &mut [T],
    b: &mut [U],
    widths: (usize, usize),
    cost: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    if a.is_empty() || widths.0 == 0 || widths.1 == 0 {
        return;
    }
    if a.len() / widths.0 * cost < WORTHWHILE {
        return f(0, a, b);
    }
    let group = (GRAIN / cost.max(1)).max(1);
    let both = a.par_chunks_mut(group * widths.0).zip(b.par_chunks_mut(group * widths.1));
    both.enumerate().for_each(|(i, (a, b))| f(i * group, a, b));
}

/// Calls `f(start, piece of a, piece of b, piece of c)` for the pieces of three equally long destinations.
pub(super) fn triples<T: Send>(
    a: &mut [T],
    b: &mut [T],
    c: &mut [T],
    f: impl Fn(usize, &mut [T], &mut [T], &mut [T]) + Sync,
) {
    if a.len() < WORTHWHILE {
        return f(0, a, b, c);
    }
    let all = a.par_chunks_mut(GRAIN).zip(b.par_chunks_mut(GRAIN)).zip(c.par_chunks_mut(GRAIN));
    all.enumerate().for_each(|(i, ((a, b), c))| f(i * GRAIN, a, b, c));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Adds up 0..count by halves, each shared with other threads.
    fn shared_sum(from: usize, to: usize) -> usize {
        if to - from < 64 {
            return (from..to).sum();
        }
        let middle = from.midpoint(to);
        let (left, right) = rayon::join(|| shared_sum(from, middle), || shared_sum(middle, to));
        left + right
    }

    #[test]
    fn tasks_that_run_together_run_once_each_with_their_panics() {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                for count in (0..=9).cycle().take(300) {
                    let ran: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                    together(count, |task| {
                        assert_eq!(shared_sum(0, 100 * task), (0..100 * task).sum::<usize>());
                        ran[task].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(ran.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{count} on {threads}");
                }
                for which in 0..4 {
                    let work = || together(4, |task| assert!(task != which, "task {task}"));
                    let panicked = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
                    assert_eq!(panicked.downcast_ref(), Some(&format!("task {which}")));
                }
            });
        }
    }

    #[test]
    fn attended_work_gives_the_same_ends_with_its_panics_and_may_be_nested() {
        assert_eq!(attended(|| 7), 7);
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                for round in 0..50 {
                    assert_eq!(attended(|| shared_sum(0, 4000 + round)), (0..4000 + round).sum::<usize>());
                }
                // Lanes side by side, each of which shares work, in a round that is attended; and one round in another.
                let lanes: Vec<usize> = attended(|| {
                    (0..9_usize).into_par_iter().map(|lane| attended(|| shared_sum(lane, lane + 3000))).collect()
                });
                assert!(lanes.iter().enumerate().all(|(lane, sum)| *sum == (lane..lane + 3000).sum::<usize>()));
                let panicked = catch_unwind(AssertUnwindSafe(|| attended(|| panic!("on purpose"))));
                assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
                assert_eq!(attended(|| shared_sum(0, 100)), 4950);
            });
        }
    }
}
