//! How far a run has come, on standard error: a bar on a terminal, a line a stage otherwise.
//!
//! The trainer only counts; the waiting thread looks and writes, so that a slow terminal never slows training.

use crate::record::observers::Shared;
use crate::record::summary::Standing;
use crate::record::table::rounded;
use crate::record::{Key, LaneEnd, LaneId, LaneInfo, Level, Message, Observer, Quantity, StepReport, log};
use crate::workspace::Workspace;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Lines that wait to be shown; more are counted only.
const WAITING: usize = 200;

/// What the trainer counts.
#[derive(Debug, Default)]
struct Counts {
    lanes: BTreeMap<LaneId, LaneCount>,
    /// Steps taken since the start of this process.
    taken: u64,
    lines: VecDeque<String>,
    dropped: u64,
}

#[derive(Debug, Default)]
struct LaneCount {
    name: String,
    steps: u64,
    /// Of the last step that this process took.
    loss: Option<f64>,
    ended: bool,
    /// Ended before its last step for good: it leaves nothing to wait for.
    short: bool,
    trial: bool,
}

/// How far a run has come.
#[derive(Debug)]
pub(super) struct Progress {
    counts: Shared<Counts>,
    name: String,
    plan: Plan,
    started: Instant,
}

/// What is to be done: lanes and trials, steps of a lane and of a trial, steps of all.
#[derive(Clone, Copy, Debug)]
struct Plan {
    lanes: usize,
    steps: u64,
    trial_steps: u64,
    total: u64,
}

impl Plan {
    /// What a workspace asks for, trials of its tuning stage included.
    fn of(workspace: &Workspace) -> Self {
        // A grid that cannot be made is told by the session.
        let runs = workspace.grid().unwrap_or_default();
        let names: std::collections::BTreeSet<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        let (trials, trial_steps) = match &workspace.tune {
            Some(tune) => (names.len() * tune.values.len(), tune.steps.unwrap_or(workspace.steps)),
            None => (0, 0),
        };
        let total = (runs.len() as u64).saturating_mul(workspace.steps);
        let total = total.saturating_add((trials as u64).saturating_mul(trial_steps));
        Self { lanes: runs.len() + trials, steps: workspace.steps, trial_steps, total }
    }
}

/// Progress at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    done: u64,
    total: u64,
    ended: usize,
    lanes: usize,
    rate: f64,
}

impl Reading {
    fn percent(&self) -> u64 {
        (u128::from(self.done) * 100 / u128::from(self.total.max(1))) as u64
    }

    /// `412 steps/s, 19 s left, 2/5 lanes done`.
    fn pace(&self) -> String {
        let left = match self.rate > 0.0 {
            true => format!(", {} left", duration((self.total - self.done) as f64 / self.rate)),
            false => String::new(),
        };
        format!("{} steps/s{left}, {}/{} lanes done", rounded(self.rate), self.ended, self.lanes)
    }
}

impl Progress {
    /// Of a run of `workspace` whose lanes stand so.
    pub(super) fn new(workspace: &Workspace, standing: Vec<Standing>) -> Self {
        let counts = Shared::<Counts>::default();
        for Standing { lane, name, seed, trial, steps, ended } in standing {
            let name = named(&name, seed, trial);
            let count = LaneCount { name, steps, loss: None, ended, short: ended, trial };
            counts.lock().lanes.insert(lane, count);
        }
        Self { counts, name: workspace.name.clone(), plan: Plan::of(workspace), started: Instant::now() }
    }

    /// What counts, for the trainer.
    pub(super) fn observer(&self) -> impl Observer + 'static {
        self.counts.clone()
    }

    fn read(&self) -> Reading {
        let seconds = self.started.elapsed().as_secs_f64();
        let counts = self.counts.lock();
        let steps: u64 = counts.lanes.values().map(|lane| lane.steps).sum();
        let missed: u64 = counts
            .lanes
            .values()
            .filter(|lane| lane.short)
            .map(|lane| if lane.trial { self.plan.trial_steps } else { self.plan.steps }.saturating_sub(lane.steps))
            .sum();
        let total = self.plan.total.saturating_sub(missed).max(steps);
        let ended = counts.lanes.values().filter(|lane| lane.ended).count();
        let rate = if seconds > 0.0 { counts.taken as f64 / seconds } else { 0.0 };
        Reading { done: steps, total, ended, lanes: self.plan.lanes.max(counts.lanes.len()), rate }
    }

    fn take_lines(&self) -> Vec<String> {
        let mut counts = self.counts.lock();
        let mut lines: Vec<String> = counts.lines.drain(..).collect();
        if counts.dropped > 0 {
            lines.push(format!("… and {} more messages", counts.dropped));
            counts.dropped = 0;
        }
        lines
    }
}

/// `backprop (seed 0)`.
fn named(name: &str, seed: u64, trial: bool) -> String {
    format!("{name} (seed {seed}{})", if trial { ", trial" } else { "" })
}

impl Counts {
    fn say(&mut self, line: String) {
        if self.lines.len() < WAITING {
            self.lines.push_back(line);
        } else {
            self.dropped += 1;
        }
    }
}

impl Observer for Counts {
    fn lane_started(&mut self, info: &LaneInfo) {
        let name = named(&info.name, info.seed, info.trial);
        // A lane that goes on has been counted up to where it stands.
        let lane = self.lanes.entry(info.lane).or_default();
        (lane.name, lane.trial) = (name, info.trial);
    }

    fn step(&mut self, report: &StepReport) {
        if let Some(loss) = report.get(Key::whole(Quantity::Loss)) {
            let lane = self.lanes.entry(report.lane).or_default();
            (lane.steps, lane.loss) = (report.step + 1, Some(loss));
            self.taken += 1;
        }
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        let lane = self.lanes.entry(end.lane).or_default();
        (lane.ended, lane.short) = (true, end.reason.is_final());
        let loss = lane.loss.map_or_else(String::new, |loss| format!(", loss {}", rounded(loss)));
        let name = if lane.name.is_empty() { format!("lane {}", end.lane) } else { lane.name.clone() };
        let detail = end.reason.detail().map_or_else(String::new, |detail| format!(": {detail}"));
        self.say(format!("{name}: {} after {} steps{loss}{detail}", end.reason.word(), end.steps));
    }

    fn message(&mut self, message: &Message) {
        if matches!(message.level, Level::Error | Level::Warn) {
            self.say(log::line(message));
        }
    }
}

/// Where progress is shown, and errors always.
pub(super) struct Display<'a> {
    stderr: &'a mut dyn Write,
    shown: Shown,
}

enum Shown {
    /// Errors alone.
    Nothing,
    /// Lines; the last tenth that was told.
    Lines { tenth: u64 },
    /// A bar that is redrawn.
    Bar(ProgressBar),
}

impl<'a> Display<'a> {
    /// Errors alone.
    pub(super) fn quiet(stderr: &'a mut dyn Write) -> Self {
        Self { stderr, shown: Shown::Nothing }
    }

    /// A line a stage.
    pub(super) fn lines(stderr: &'a mut dyn Write) -> Self {
        Self { stderr, shown: Shown::Lines { tenth: 0 } }
    }

    /// A bar on the process' standard error, which is a terminal.
    pub(super) fn bar(stderr: &'a mut dyn Write) -> Self {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(10));
        // The template is right; should it ever not be, the bar has its plain form.
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24} {percent:>3} %  {pos}/{len}  {msg}") {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        Self { stderr, shown: Shown::Bar(bar) }
    }

    /// An error: shown whatever was asked for.
    pub(super) fn error(&mut self, text: &str) {
        self.line(&format!("error: {text}"));
    }

    /// A warning.
    pub(super) fn warn(&mut self, text: &str) {
        self.unless_quiet(&format!("warning: {text}"));
    }

    /// A sentence.
    pub(super) fn note(&mut self, text: &str) {
        self.unless_quiet(text);
    }

    /// Lines as they are.
    pub(super) fn text(&mut self, text: &str) {
        // There is no one to tell when standard error is closed.
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }

    /// The first line.
    pub(super) fn begin(&mut self, progress: &Progress, resumed: bool, folder: Option<&Path>) {
        let verb = if resumed { "continuing" } else { "starting" };
        let folder = folder.map_or_else(String::new, |folder| format!(", run folder {}", folder.display()));
        let Plan { lanes, total, .. } = progress.plan;
        self.unless_quiet(&format!("{}: {verb} {lanes} lanes, {total} steps in all{folder}", progress.name));
        if let Shown::Bar(bar) = &self.shown {
            bar.set_prefix(progress.name.clone());
        }
    }

    /// What has happened since the last time.
    pub(super) fn update(&mut self, progress: &Progress) {
        for line in progress.take_lines() {
            self.unless_quiet(&line);
        }
        let reading = progress.read();
        let line = match &mut self.shown {
            Shown::Nothing => return,
            Shown::Bar(bar) => {
                bar.set_length(reading.total);
                bar.set_message(reading.pace());
                bar.set_position(reading.done);
                return;
            }
            Shown::Lines { tenth } => {
                let now = reading.percent() / 10;
                if now <= *tenth {
                    return;
                }
                *tenth = now;
                let Reading { done, total, .. } = reading;
                format!("{}: {} %, {done} of {total} steps, {}", progress.name, now * 10, reading.pace())
            }
        };
        self.line(&line);
    }

    /// The last of it.
    pub(super) fn finish(&mut self, progress: &Progress) {
        self.update(progress);
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn unless_quiet(&mut self, line: &str) {
        if !matches!(self.shown, Shown::Nothing) {
            self.line(line);
        }
    }

    fn line(&mut self, line: &str) {
        match &self.shown {
            Shown::Bar(bar) if !bar.is_finished() && !bar.is_hidden() => bar.println(line),
            _ => self.text(&format!("{line}\n")),
        }
    }
}

/// `19 s`, `4 min`, `2 h 05 min`.
fn duration(seconds: f64) -> String {
    let whole = seconds.ceil().min(1e15) as u64;
    match whole {
        0..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min", whole / 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{AxisValue, Tune, TuneMetric};

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [(0.2, "1 s"), (119.0, "119 s"), (300.0, "5 min"), (7500.0, "2 h 05 min")] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn the_pace_names_what_is_left() {
        let reading = Reading { done: 100, total: 300, ended: 1, lanes: 3, rate: 20.0 };
        assert_eq!(reading.percent(), 33);
        assert_eq!(reading.pace(), "20.0 steps/s, 10 s left, 1/3 lanes done");
        assert_eq!(Reading { total: 0, done: 0, ..reading }.percent(), 0);
    }

    #[test]
    fn what_had_ended_before_counts_trials_too() {
        let mut workspace = crate::record::jsonl::tests::workspace();
        workspace.steps = 100;
        let values = ["0.1", "0.2"].map(|text| AxisValue::new(text).expect("a value")).into();
        let metric = TuneMetric::default();
        workspace.tune = Some(Tune { over: "lr".into(), values, steps: Some(10), metric, seed: 0 });
        let total = Plan::of(&workspace).total;
        let standing = |lane, trial, steps, ended| Standing { lane, name: "a".into(), seed: 0, trial, steps, ended };
        // A trial at its end, one that diverged at step 4, and a lane under way.
        let progress = Progress::new(
            &workspace,
            vec![standing(0, true, 10, true), standing(1, true, 4, true), standing(2, false, 7, false)],
        );
        let reading = progress.read();
        assert_eq!((reading.done, reading.ended), (10 + 4 + 7, 2));
        assert_eq!(reading.total, total - 6, "what the trial has left out is not waited for");
    }

    #[test]
    fn a_flood_of_messages_is_counted() {
        let workspace = crate::record::jsonl::tests::workspace();
        let progress = Progress::new(&workspace, Vec::new());
        let mut observer = progress.observer();
        for number in 0..WAITING + 7 {
            let text = format!("{number}");
            observer.message(&Message { lane: None, step: None, level: Level::Warn, text });
        }
        observer.message(&Message { lane: None, step: None, level: Level::Info, text: "not shown".into() });
        let lines = progress.take_lines();
        assert_eq!(lines.len(), WAITING + 1);
        assert_eq!(lines[WAITING], "… and 7 more messages");
        assert!(progress.take_lines().is_empty());
    }
}
