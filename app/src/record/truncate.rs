//! Cutting records back to the checkpoints that a run resumes from, so that it goes on with no step twice and none missing.
//!
//! Kept: the header; of each lane with a checkpoint, its start, its steps before the checkpoint's, its last measurements and
//! its end where the checkpoint knows of it, and messages up to there. Cut: everything later, everything of lanes without a checkpoint (they
//! start anew), the summary, and a half-written last line. A lane that was reset keeps what was before the reset.
#![forbid(unsafe_code)]

use super::LaneId;
use super::read::ReadError;
use super::replace::replace_with;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Where a lane resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Steps taken: the next step's number.
    pub step: u64,
    /// Whether it has ended for good.
    pub ended: bool,
}

/// What is left after a cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether the header is there.
    pub header: bool,
    /// Lanes whose start is there.
    pub started: BTreeSet<LaneId>,
    /// Lanes whose end is there.
    pub ended: BTreeSet<LaneId>,
    /// Lanes whose records stop before their checkpoint: where they stop, and the checkpoint's step. (A step may be missing
    /// in between where a plugin failed and was to be skipped.)
    pub gaps: BTreeMap<LaneId, (u64, u64)>,
    /// Bytes cut.
    pub cut: u64,
}

/// What tells where a record belongs.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    record: Cow<'a, str>,
    lane: Option<LaneId>,
    step: Option<u64>,
}

/// Cuts the records of `path` back to `positions`. A file that is not there is an empty one.
///
/// # Errors
/// When the file cannot be read or written, or a line other than the last is no record; the file is then as it was.
pub fn truncate_after(path: &Path, positions: &BTreeMap<LaneId, Position>) -> Result<Kept, ReadError> {
    let failed = |error: io::Error| ReadError::Io { path: path.into(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    let mut lines = Lines::new(path, file);

    // A reset lane's steps before its last start are history, to be kept whatever their numbers.
    let mut last_start = BTreeMap::new();
    while let Some((number, _, head)) = lines.next_head()? {
        if let ("lane", Some(lane)) = (head.record.as_ref(), head.lane) {
            last_start.insert(lane, number);
        }
    }

    let mut decision = Decision { positions, last_start, kept: Kept::default(), next: BTreeMap::new(), cutting: false };
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    lines.rewind().map_err(failed)?;
    while let Some((number, (start, end), head)) = lines.next_head()? {
        if decision.keeps(number, &head) {
            match ranges.last_mut() {
                Some((_, last)) if *last == start => *last = end,
                _ => ranges.push((start, end)),
            }
        }
    }
    let mut kept = decision.finish();
    let left: u64 = ranges.iter().map(|(start, end)| end - start).sum();
    kept.cut = length - left;
    apply(path, &ranges, length).map_err(failed)?;
    Ok(kept)
}

/// Leaves of the file just `ranges`: by shortening it where they are its beginning, by a copy otherwise.
fn apply(path: &Path, ranges: &[(u64, u64)], length: u64) -> io::Result<()> {
    match ranges {
        [(0, end)] if *end == length => Ok(()),
        [] | [(0, _)] => {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(ranges.first().map_or(0, |(_, end)| *end))?;
            file.sync_all()
        }
        _ => {
            let mut source = File::open(path)?;
            replace_with(path, |target| {
                let mut target = BufWriter::new(target);
                for (start, end) in ranges {
                    source.seek(SeekFrom::Start(*start))?;
                    io::copy(&mut (&mut source).take(end - start), &mut target)?;
                }
                target.flush()
            })
        }
    }
}

/// What to keep, line by line.
struct Decision<'a> {
    positions: &'a BTreeMap<LaneId, Position>,
    last_start: BTreeMap<LaneId, u64>,
    kept: Kept,
    /// Next step expected of each lane since its last start.
    next: BTreeMap<LaneId, u64>,
    /// Whether a step has been cut: what is said later was said after the checkpoints.
    cutting: bool,
}

impl Decision<'_> {
    fn keeps(&mut self, line: u64, head: &Head<'_>) -> bool {
        let kind = head.record.as_ref();
        let Some(lane) = head.lane else {
            self.kept.header |= kind == "run";
            return kind != "summary" && !self.cutting;
        };
        let Some(position) = self.positions.get(&lane) else { return false };
        let last_start = self.last_start.get(&lane).copied().unwrap_or(0);
        if line < last_start {
            return true;
        }
        match (kind, head.step) {
            ("lane", _) => self.kept.started.insert(lane),
            ("step", Some(step)) => {
                // What is measured after the last step has the number of the steps taken.
                if step < position.step || (position.ended && step == position.step) {
                    self.next.insert(lane, step + 1);
                    return true;
                }
                self.cutting = true;
                false
            }
            ("end", _) => position.ended && self.kept.ended.insert(lane),
            (_, Some(step)) => step < position.step,
            (_, None) => !self.cutting,
        }
    }

    fn finish(mut self) -> Kept {
        for (&lane, position) in self.positions {
            let next = self.next.get(&lane).copied().unwrap_or(0);
            if next < position.step {
                self.kept.gaps.insert(lane, (next, position.step));
            }
        }
        self.kept
    }
}

/// The whole lines of a file, with their places.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    number: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(path: &'a Path, file: File) -> Self {
        Self { path, reader: BufReader::with_capacity(256 * 1024, file), number: 0, start: 0, buffer: Vec::new() }
    }

    fn rewind(&mut self) -> io::Result<()> {
        (self.number, self.start) = (0, 0);
        self.reader.rewind()
    }

    /// The next line: its number from 1, its range of bytes, and what it is. `None` at the end, or at a half-written line,
    /// which nothing follows.
    fn next_head(&mut self) -> Result<Option<(u64, (u64, u64), Head<'_>)>, ReadError> {
        let failed = |error: io::Error| ReadError::Io { path: self.path.into(), error };
        self.buffer.clear();
        let count = self.reader.read_until(b'\n', &mut self.buffer).map_err(failed)?;
        if self.buffer.last() != Some(&b'\n') {
            return Ok(None);
        }
        let range = (self.start, self.start + count as u64);
        self.number += 1;
        self.start = range.1;
        match serde_json::from_slice(&self.buffer) {
            Ok(head) => Ok(Some((self.number, range, head))),
            // Damage at the very end is what an interrupted write leaves; elsewhere somebody must look.
            Err(_) if self.reader.fill_buf().map_err(failed)?.is_empty() => Ok(None),
            Err(error) => Err(ReadError::Malformed { path: self.path.into(), line: self.number, error }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::jsonl::tests::{lane, report, workspace};
    use crate::record::jsonl::{Host, JsonLines, RunHeader};
    use crate::record::{EndReason, LaneEnd, Level, Message, Observer, StageSeconds};
    use std::fs;
    use std::path::PathBuf;

    fn header() -> RunHeader {
        let mut header = RunHeader::new(&workspace(), Host::default());
        header.time.started = "2024-05-01T12:00:00Z".into();
        header
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        (folder, path)
    }

    /// Rounds of two lanes: lane 1 ends after 3 steps, lane 0 after 6.
    fn rounds(sink: &mut JsonLines<File>, range: std::ops::Range<u64>) {
        let end = |lane, steps| LaneEnd { lane, steps, reason: EndReason::Done, seconds: StageSeconds::default() };
        for step in range {
            for id in 0..2 {
                if id == 0 || step < 3 {
                    sink.step(&report(id, step, step as f64 + 0.1 * id as f64));
                }
            }
            if step == 4 {
                let text = "late".into();
                sink.message(&Message { lane: Some(0), step: Some(4), level: Level::Info, text });
            }
            if step == 2 {
                sink.step(&report(1, 3, 0.0));
                sink.lane_ended(&end(1, 3));
            }
            if step == 5 {
                sink.lane_ended(&end(0, 6));
            }
        }
    }

    fn whole(path: &Path) -> Vec<u8> {
        let mut sink = JsonLines::create(File::create(path).expect("a file"), "records", &header());
        sink.lane_started(&lane(0, "a", 0));
        sink.lane_started(&lane(1, "b", 0));
        rounds(&mut sink, 0..6);
        drop(sink);
        fs::read(path).expect("there")
    }

    fn position(step: u64, ended: bool) -> Position {
        Position { step, ended }
    }

    fn append(path: &Path) -> JsonLines<File> {
        JsonLines::append(OpenOptions::new().append(true).open(path).expect("there"), "records")
    }

    #[test]
    fn cut_anywhere_and_continued_gives_the_same_bytes() {
        let (_folder, path) = folder();
        let whole = whole(&path);
        for step in 0..=5 {
            // The checkpoint was taken after `step` rounds; the run died somewhere later, within a line.
            let later = whole.len() - 17;
            fs::write(&path, &whole[..later]).expect("written");
            let positions = BTreeMap::from([(0, position(step, false)), (1, position(step.min(3), step >= 3))]);
            let kept = truncate_after(&path, &positions).expect("cut");
            assert_eq!(kept.started, BTreeSet::from([0, 1]));
            assert_eq!(kept.ended.contains(&1), step >= 3);
            assert!(kept.header && kept.gaps.is_empty(), "{kept:?}");
            rounds(&mut append(&path), step..6);
            assert_eq!(fs::read(&path).expect("there"), whole, "from step {step}");
        }
    }

    #[test]
    fn nothing_to_cut_changes_nothing() {
        let (_folder, path) = folder();
        let whole = whole(&path);
        let positions = BTreeMap::from([(0, position(6, true)), (1, position(3, true))]);
        let kept = truncate_after(&path, &positions).expect("cut");
        assert_eq!((kept.cut, kept.ended.len()), (0, 2));
        assert_eq!(fs::read(&path).expect("there"), whole);
    }

    #[test]
    fn lanes_may_stand_at_different_steps() {
        let (_folder, path) = folder();
        whole(&path);
        let kept = truncate_after(&path, &BTreeMap::from([(0, position(5, false)), (1, position(1, false))]));
        assert!(kept.expect("cut").gaps.is_empty());
        let text = fs::read_to_string(&path).expect("there");
        let count = |lane: usize| text.matches(&format!("\"step\",\"lane\":{lane},")).count();
        assert_eq!((count(0), count(1)), (5, 1));
        assert!(!text.contains("\"end\"") && !text.contains("half"));
    }

    #[test]
    fn a_lane_without_a_checkpoint_starts_anew() {
        let (_folder, path) = folder();
        whole(&path);
        let kept = truncate_after(&path, &BTreeMap::from([(0, position(2, false))])).expect("cut");
        assert_eq!(kept.started, BTreeSet::from([0]));
        assert!(!fs::read_to_string(&path).expect("there").contains("\"lane\":1"));
    }

    #[test]
    fn missing_steps_are_told() {
        let (_folder, path) = folder();
        whole(&path);
        let positions = BTreeMap::from([(0, position(9, false)), (1, position(3, true))]);
        let kept = truncate_after(&path, &positions).expect("cut");
        assert_eq!(kept.gaps, BTreeMap::from([(0, (6, 9))]));
        fs::remove_file(&path).expect("removed");
        assert_eq!(truncate_after(&path, &positions).expect("nothing there"), Kept::default());
    }

    #[test]
    fn what_was_before_a_reset_stays() {
        let (_folder, path) = folder();
        whole(&path);
        let mut sink = append(&path);
        sink.lane_started(&lane(0, "a", 0));
        rounds(&mut sink, 0..2);
        drop(sink);
        let positions = BTreeMap::from([(0, position(1, false)), (1, position(3, true))]);
        truncate_after(&path, &positions).expect("cut");
        let text = fs::read_to_string(&path).expect("there");
        let of_lane_0: Vec<&str> = text.lines().filter(|line| line.contains("\"lane\":0")).collect();
        assert_eq!(of_lane_0.len(), 1 + 6 + 1 + 1 + 1 + 1, "start, steps, message, end, start, step: {of_lane_0:?}");
    }

    #[test]
    fn damage_in_the_middle_is_an_error_and_leaves_the_file() {
        let (_folder, path) = folder();
        let mut bytes = whole(&path);
        let middle = bytes.len() / 2;
        bytes[middle] = b'\n';
        fs::write(&path, &bytes).expect("written");
        let error = truncate_after(&path, &BTreeMap::new()).expect_err("damaged").to_string();
        assert!(error.contains("not a record"), "{error}");
        assert_eq!(fs::read(&path).expect("there"), bytes);
    }

    #[test]
    fn zeros_at_the_end_are_a_half_written_line() {
        let (_folder, path) = folder();
        let mut bytes = whole(&path);
        bytes.extend([0; 300]);
        fs::write(&path, &bytes).expect("written");
        let positions = BTreeMap::from([(0, position(6, true)), (1, position(3, true))]);
        assert_eq!(truncate_after(&path, &positions).expect("cut").cut, 300);
    }
}
