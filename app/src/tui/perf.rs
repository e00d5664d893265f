//! What the screen itself costs: time and bytes of a frame, the way from a key to its frame, snapshots that were never drawn.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

/// Frames that figures are of.
const FRAMES: usize = 240;

/// One frame.
#[derive(Clone, Copy, Debug)]
struct Frame {
    draw: Duration,
    bytes: usize,
}

/// What was measured of the last frames.
#[derive(Debug, Default)]
pub struct Perf {
    frames: VecDeque<Frame>,
    keys: VecDeque<Duration>,
    drawn: u64,
    missed: u64,
    last_revision: Option<u64>,
}

/// What the overlay shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Drawing of the last frame; of half of the last frames; of 99 % of them.
    pub draw: [Duration; 3],
    /// From a key to its frame handed to the terminal, likewise; `None` before the first key.
    pub key: Option<[Duration; 3]>,
    /// Bytes of the last frame, of half of the last ones, of 99 %.
    pub bytes: [usize; 3],
    /// Frames drawn so far.
    pub drawn: u64,
    /// Snapshots that were published and replaced before they could be drawn.
    pub missed: u64,
}

impl Perf {
    /// A frame of snapshot `revision` took `draw` to make and `bytes` to tell; it answered a key that came so long ago.
    pub fn frame(&mut self, draw: Duration, bytes: usize, revision: u64, key: Option<Duration>) {
        keep(&mut self.frames, Frame { draw, bytes });
        if let Some(key) = key {
            keep(&mut self.keys, key);
        }
        self.drawn += 1;
        if let Some(last) = self.last_revision {
            self.missed += revision.saturating_sub(last).saturating_sub(1);
        }
        self.last_revision = Some(revision);
    }

    /// Frames drawn so far.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// The figures now.
    pub fn figures(&self) -> Figures {
        Figures {
            draw: spread(self.frames.iter().map(|frame| frame.draw)).unwrap_or_default(),
            key: spread(self.keys.iter().copied()),
            bytes: spread(self.frames.iter().map(|frame| frame.bytes)).unwrap_or_default(),
            drawn: self.drawn,
            missed: self.missed,
        }
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == FRAMES {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// The last, the median and the 99th hundredth.
fn spread<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<[T; 3]> {
    let mut values: Vec<T> = values.collect();
    let last = *values.last()?;
    values.sort_unstable();
    let at = |share: usize| values[(values.len() - 1) * share / 100];
    Some([last, at(50), at(99)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_last_frames() {
        let mut perf = Perf::default();
        assert_eq!(perf.figures(), Figures::default());
        for number in 0..1000u64 {
            perf.frame(Duration::from_micros(number), number as usize, 3 * number, None);
        }
        let figures = perf.figures();
        assert_eq!(figures.draw.map(|time| time.as_micros()), [999, 879, 996]);
        assert_eq!((figures.drawn, figures.missed, figures.key), (1000, 2 * 999, None));
        perf.frame(Duration::ZERO, 0, 0, Some(Duration::from_millis(2)));
        assert_eq!(perf.figures().key, Some([Duration::from_millis(2); 3]));
        assert_eq!(perf.figures().missed, 2 * 999, "a new session counts from the start");
    }
}
