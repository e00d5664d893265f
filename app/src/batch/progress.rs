//! How far a run has come, on standard error: a bar on a terminal, a line a stage otherwise.
//!
//! The trainer only counts; the waiting thread looks and writes, so that a slow terminal never slows training.

use crate::record::observers::Shared;
use crate::record::table::rounded;
use crate::record::tally::Standing;
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
    lines: VecDeque<String>,
    dropped: u64,
}

#[derive(Debug, Default)]
struct LaneCount {
    name: String,
    steps: u64,
    /// Steps that it is to take.
    length: u64,
    /// FLOP of a step; 0 where the lane has not started in this process.
    flop: u64,
    /// Of the last step that this process took.
    loss: Option<f64>,
    ended: bool,
    /// Ended before its last step for good: it leaves nothing to wait for.
    short: bool,
    /// Steps that this process took, and the seconds of them, measuring included.
    taken: u64,
    seconds: f64,
}

/// How far a run has come.
#[derive(Debug)]
pub(super) struct Progress {
    counts: Shared<Counts>,
    name: String,
    plan: Vec<Planned>,
    /// Lanes may end at a target.
    targets: bool,
    started: Instant,
}

/// A lane or trial that is to run: its steps, and what one of them costs, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Planned {
    steps: u64,
    flop: u64,
}

/// What a workspace asks for, by lane, trials of its tuning stage first; `costs` are the FLOP of a step of each.
fn plan(workspace: &Workspace, costs: &[u64]) -> Vec<Planned> {
    // A grid that cannot be made is told by the session.
    let runs = workspace.grid().unwrap_or_default();
    let names: std::collections::BTreeSet<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let (trials, trial_steps) = match &workspace.tune {
        Some(tune) => (names.len() * tune.values.len(), tune.steps.unwrap_or(workspace.steps)),
        None => (0, 0),
    };
    let steps = (0..trials + runs.len()).map(|lane| if lane < trials { trial_steps } else { workspace.steps });
    steps.enumerate().map(|(lane, steps)| Planned { steps, flop: costs.get(lane).copied().unwrap_or(0) }).collect()
}

/// Progress at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    done: u64,
    total: u64,
    ended: usize,
    lanes: usize,
    rate: f64,
    /// Seconds that the rest of all lanes will take; `None` before the first step.
    left: Option<f64>,
    /// Lanes may end sooner.
    at_most: bool,
}

impl Reading {
    fn percent(&self) -> u64 {
        (u128::from(self.done) * 100 / u128::from(self.total.max(1))) as u64
    }

    /// `412 steps/s, 19 s left, 2/5 lanes done`.
    fn pace(&self) -> String {
        let at_most = if self.at_most { "at most " } else { "" };
        let left = self.left.map_or_else(String::new, |left| format!(", {at_most}{} left", duration(left)));
        format!("{} steps/s{left}, {}/{} lanes done", rounded(self.rate), self.ended, self.lanes)
    }
}

impl Progress {
    /// Of a run of `workspace` whose lanes stand so. `costs` are the FLOP of a step of each lane, trials first, as far as they
    /// are known.
    pub(super) fn new(workspace: &Workspace, costs: &[u64], standing: Vec<Standing>) -> Self {
        let counts = Shared::<Counts>::default();
        let plan = plan(workspace, costs);
        for Standing { lane, name, seed, trial, steps, ended } in standing {
            let name = named(&name, seed, trial);
            let length = plan.get(lane).map_or(workspace.steps, |planned| planned.steps);
            let count = LaneCount { name, steps, length, ended, short: ended, ..LaneCount::default() };
            counts.lock().lanes.insert(lane, count);
        }
        let targets = workspace.stop.is_some() || workspace.budget.is_some_and(|budget| budget.seconds.is_some());
        Self { counts, name: workspace.name.clone(), plan, targets, started: Instant::now() }
    }

    /// What counts, for the trainer.
    pub(super) fn observer(&self) -> impl Observer + 'static {
        self.counts.clone()
    }

    fn read(&self) -> Reading {
        let elapsed = self.started.elapsed().as_secs_f64();
        let counts = self.counts.lock();
        let mut reading = Reading {
            done: counts.lanes.values().map(|lane| lane.steps).sum(),
            total: 0,
            ended: counts.lanes.values().filter(|lane| lane.ended).count(),
            lanes: self.plan.len().max(counts.lanes.len()),
            rate: 0.0,
            left: None,
            at_most: self.targets,
        };
        let waiting = self.plan.iter().enumerate().filter(|(lane, _)| !counts.lanes.contains_key(lane));
        let waiting: Vec<Planned> = waiting.map(|(_, planned)| *planned).collect();
        let rest = |(id, lane): (&LaneId, &LaneCount)| {
            let length =
                if lane.length > 0 { lane.length } else { self.plan.get(*id).map_or(0, |planned| planned.steps) };
            if lane.short { 0 } else { length.saturating_sub(lane.steps) }
        };
        let ahead = counts.lanes.iter().map(rest).chain(waiting.iter().map(|planned| planned.steps));
        reading.total = reading.done.saturating_add(ahead.fold(0, u64::saturating_add));
        let taken: u64 = counts.lanes.values().map(|lane| lane.taken).sum();
        let seconds: f64 = counts.lanes.values().map(|lane| lane.seconds).sum();
        if taken == 0 || elapsed <= 0.0 {
            return reading;
        }
        reading.rate = taken as f64 / elapsed;
        // A lane goes on at its own pace; one that waits has the pace of the others, by its operations where they are known.
        let flop: f64 = counts.lanes.values().map(|lane| lane.taken as f64 * lane.flop as f64).sum();
        let pace = |flops: u64| match flops > 0 && flop > 0.0 {
            true => seconds / flop * flops as f64,
            false => seconds / taken as f64,
        };
        let own = |lane: &LaneCount| match lane.taken {
            0 => pace(lane.flop),
            taken => lane.seconds / taken as f64,
        };
        let under_way: f64 = counts.lanes.iter().map(|(id, lane)| rest((id, lane)) as f64 * own(lane)).sum();
        let ahead: f64 = waiting.iter().map(|planned| planned.steps as f64 * pace(planned.flop)).sum();
        // Lanes that step at the same time share the clock.
        reading.left = (seconds > 0.0).then(|| (under_way + ahead) * elapsed / seconds);
        reading
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
        (lane.name, lane.length, lane.flop) = (name, info.steps, info.flop);
    }

    fn step(&mut self, report: &StepReport) {
        let lane = self.lanes.entry(report.lane).or_default();
        lane.seconds += report.seconds.total();
        if let Some(loss) = report.get(Key::whole(Quantity::Loss)) {
            (lane.steps, lane.loss) = (report.step + 1, Some(loss));
            lane.taken += 1;
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
        let total = progress.plan.iter().fold(0u64, |total, planned| total.saturating_add(planned.steps));
        let lanes = progress.plan.len();
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
        let left = Some(10.0);
        let reading = Reading { done: 100, total: 300, ended: 1, lanes: 3, rate: 20.0, left, at_most: false };
        assert_eq!(reading.percent(), 33);
        assert_eq!(reading.pace(), "20.0 steps/s, 10 s left, 1/3 lanes done");
        let targets = Reading { at_most: true, ..reading };
        assert_eq!(targets.pace(), "20.0 steps/s, at most 10 s left, 1/3 lanes done");
        assert_eq!(Reading { total: 0, done: 0, ..reading }.percent(), 0);
    }

    #[test]
    fn what_had_ended_before_counts_trials_too() {
        let mut workspace = crate::record::jsonl::tests::workspace();
        workspace.steps = 100;
        let values = ["0.1", "0.2"].map(|text| AxisValue::new(text).expect("a value")).into();
        let metric = TuneMetric::default();
        workspace.tune = Some(Tune { over: "lr".into(), values, steps: Some(10), metric, seed: 0 });
        let total: u64 = plan(&workspace, &[]).iter().map(|planned| planned.steps).sum();
        let standing = |lane, trial, steps, ended| Standing { lane, name: "a".into(), seed: 0, trial, steps, ended };
        // A trial at its end, one that diverged at step 4, and a lane under way.
        let progress = Progress::new(
            &workspace,
            &[],
            vec![standing(0, true, 10, true), standing(1, true, 4, true), standing(2, false, 7, false)],
        );
        let reading = progress.read();
        assert_eq!((reading.done, reading.ended), (10 + 4 + 7, 2));
        assert_eq!(reading.total, total - 6, "what the trial has left out is not waited for");
    }

    #[test]
    fn what_is_left_goes_by_each_lane_s_own_pace() {
        let mut workspace = crate::record::jsonl::tests::workspace();
        (workspace.steps, workspace.seeds) = (10, vec![0, 1, 2]);
        // The third lane's steps cost ten times those of the others.
        let progress = Progress::new(&workspace, &[123_456, 123_456, 1_234_560], Vec::new());
        let mut observer = progress.observer();
        for id in 0..2 {
            observer.lane_started(&crate::record::jsonl::tests::lane(id, "a", id as u64));
        }
        assert_eq!((progress.read().left, progress.read().total), (None, 30));
        // Lane 0 takes its steps in 1 s each, lane 1 in 3 s.
        for (id, seconds, steps) in [(0, 1.0, 10), (1, 3.0, 5)] {
            for step in 0..steps {
                let mut report = crate::record::jsonl::tests::report(id, step, 1.0);
                report.seconds = crate::record::StageSeconds { forward: seconds, ..Default::default() };
                observer.step(&report);
            }
        }
        // 5 steps of 3 s; 10 of ten times the mean 25/15; the clock of 25 such seconds is what has passed.
        let reading = progress.read();
        let passed = reading.left.expect("steps were taken") * 25.0 / (5.0 * 3.0 + 10.0 * 10.0 * 25.0 / 15.0);
        assert!(passed > 0.0 && passed <= progress.started.elapsed().as_secs_f64(), "{passed}");
        assert_eq!((reading.done, reading.total), (15, 30));
    }

    #[test]
    fn a_flood_of_messages_is_counted() {
        let workspace = crate::record::jsonl::tests::workspace();
        let progress = Progress::new(&workspace, &[], Vec::new());
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
