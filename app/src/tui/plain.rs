//! The workbench as lines, for screen readers, pipes and terminals that cannot draw: how every lane stands, once in a while; what
//! happens, as it happens; and the commands of the command line, read from standard input, one a line.
#![forbid(unsafe_code)]

use super::action::Action;
use super::command;
use super::desk;
use super::export::Scene;
use super::lanes::{groups, mean_deviation};
use super::overlay::help;
use super::smooth::Derived;
use super::state::{Overlay, State, last_step};
use super::theme::{Theme, Tier};
use super::update::{Effect, selected, update};
use super::{Exit, Source, TuiOptions, defaults, format, signals};
use crate::record::{Key, Message, Quantity};
use crate::session::protocol::{Command, LaneView, Origin, Snapshot, Status};
use crossbeam_channel::{Receiver, bounded, select};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use std::io::{self, BufRead, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How often the trainer is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs until the person quits, a signal ends it, or all lanes have ended and there is no more to read. A report comes once in
/// `every`.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(source: impl Source, options: TuiOptions, every: Duration) -> io::Result<Exit> {
    let defaults = defaults()?;
    defaults.store(false, Ordering::SeqCst);
    let signals = signals(&[SIGTERM, SIGHUP, SIGINT, SIGTSTP])?;
    let lines = Lines {
        state: options.state(),
        theme: Theme { tier: Tier::Mono, ..options.theme() },
        derived: Derived::default(),
        asked: None,
        out: io::stdout(),
    };
    let exit = lines.run(&source, &typed(), &signals, every);
    defaults.store(true, Ordering::SeqCst);
    if !matches!(exit, Ok(Exit::Quit)) {
        source.send(Command::Stop);
    }
    exit
}

/// The thread that reads lines; it ends with them.
fn typed() -> Receiver<String> {
    let (sender, receiver) = bounded(64);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

struct Lines<W: Write> {
    state: State,
    theme: Theme,
    derived: Derived,
    /// What a yes would do.
    asked: Option<Overlay>,
    out: W,
}

impl<W: Write> Lines<W> {
    fn run(
        mut self,
        source: &impl Source,
        typed: &Receiver<String>,
        signals: &Receiver<i32>,
        every: Duration,
    ) -> io::Result<Exit> {
        let (mut status, mut said) = (Status::Starting, None);
        let mut seen: Option<Message> = None;
        let mut open = true;
        self.say("commands are read here, one a line: help lists them, an empty line reports, quit leaves")?;
        loop {
            let never = crossbeam_channel::never();
            select! {
                recv(if open { typed } else { &never }) -> line => match line {
                    Ok(line) => {
                        if let Some(exit) = self.command(&line, source, &source.snapshot())? {
                            return Ok(exit);
                        }
                    }
                    Err(_) => open = false,
                },
                recv(signals) -> signal => match signal {
                    Ok(SIGTSTP) => signal_hook::low_level::emulate_default_handler(SIGTSTP)?,
                    signal => return Ok(signal.map_or(Exit::Lost, Exit::Signal)),
                },
                default(LOOK) => {}
            }
            let snapshot = source.snapshot();
            self.derived.begin(&snapshot);
            seen = self.messages(&snapshot, seen)?;
            let due = said.is_none_or(|said: Instant| said.elapsed() >= every);
            let running = snapshot.status == Status::Running && last_step(&snapshot) > 0;
            if snapshot.status != status || (due && running) {
                status = snapshot.status.clone();
                self.report(&snapshot)?;
                said = Some(Instant::now());
            }
            // A run that is watched may go on after a stop.
            let stopped = status == Status::Stopped && snapshot.origin == Origin::Opened;
            let over = stopped || matches!(status, Status::Finished | Status::Failed(_));
            if over && !open {
                source.send(Command::Stop);
                return Ok(Exit::Quit);
            }
        }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        // Thin spaces and minus signs are read out oddly.
        let plain: String = text
            .chars()
            .map(|c| {
                if c == '\u{202f}' {
                    ' '
                } else if c == '−' {
                    '-'
                } else {
                    c
                }
            })
            .collect();
        writeln!(self.out, "{plain}").and_then(|()| self.out.flush())
    }

    /// Says the messages after `seen`; returns the last.
    fn messages(&mut self, snapshot: &Snapshot, seen: Option<Message>) -> io::Result<Option<Message>> {
        let after = seen.as_ref().and_then(|seen| snapshot.messages.iter().rposition(|message| message == seen));
        for message in snapshot.messages.iter().skip(after.map_or(0, |index| index + 1)) {
            let level = format!("{:?}", message.level).to_lowercase();
            self.say(&format!("{level}: {}", message.text))?;
        }
        Ok(snapshot.messages.last().cloned().or(seen))
    }

    /// How everything stands.
    fn report(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let status = match &snapshot.status {
            Status::Failed(why) => format!("failed: {why}"),
            status => format!("{status:?}").to_lowercase(),
        };
        let step = snapshot.lanes.iter().map(|lane| lane.step).max().unwrap_or(0);
        self.say(&format!(
            "step {step} of {}, {status}, {:.1} steps a second",
            snapshot.steps, snapshot.steps_per_second
        ))?;
        for group in groups(snapshot) {
            let value = |quantity| group.value(Key::whole(quantity), None).map(|(value, _)| value);
            let mut words = vec![format!("  {}", group.name)];
            let (loss, beta) = (Key::whole(Quantity::Loss), self.state.beta());
            let smooth = |lane: &&LaneView| self.derived.series(lane, loss, false, beta)?.last();
            let losses: Vec<f64> = group.lanes.iter().filter_map(smooth).map(|(_, value)| value).collect();
            if !losses.is_empty() {
                words.push(format!("loss {}", format::value(mean_deviation(&losses).0)));
            }
            if let Some(accuracy) = value(Quantity::TestAccuracy) {
                words.push(format!("test accuracy {:.1} %", 100.0 * accuracy));
            }
            if let Some(cosine) = value(Quantity::Cosine) {
                words.push(format!("cosine {}", format::value(cosine)));
            }
            if let Some(reason) = group.ended() {
                words.push(super::lanes::end_sentence(reason));
            }
            self.say(&words.join(", "))?;
        }
        let said = self.scene(snapshot).verdicts();
        said.iter().try_for_each(|verdict| self.say(&format!("  verdict: {verdict}")))
    }

    fn scene<'a>(&'a self, snapshot: &'a Snapshot) -> Scene<'a> {
        Scene { state: &self.state, snapshot, derived: &self.derived, theme: &self.theme }
    }

    /// Does what a line says.
    fn command(&mut self, line: &str, source: &impl Source, snapshot: &Snapshot) -> io::Result<Option<Exit>> {
        let line = line.trim();
        if let Some(question) = self.asked.take() {
            self.state.overlay = Some(question);
            let yes = matches!(line.to_lowercase().as_str(), "y" | "yes");
            return self.act(if yes { Action::Accept } else { Action::Back }, source, snapshot);
        }
        if let Some(words) = line.trim_start_matches(':').strip_prefix("help") {
            return self.help(words).map(|()| None);
        }
        match command::read(line) {
            Ok(None) => self.report(snapshot)?,
            Ok(Some(action)) => return self.act(action, source, snapshot),
            Err(error) => self.say(&error)?,
        }
        Ok(None)
    }

    fn help(&mut self, words: &str) -> io::Result<()> {
        for line in help::lines(&self.state.keymap, words) {
            match line {
                help::Line::Heading(name) => self.say(name)?,
                help::Line::Entry(entry, _) => self.say(&format!("  {}: {}", &entry.usage()[1..], entry.help))?,
                help::Line::Note(name, text) => self.say(&format!("  {name}: {text}"))?,
            }
        }
        Ok(())
    }

    fn act(&mut self, action: Action, source: &impl Source, snapshot: &Snapshot) -> io::Result<Option<Exit>> {
        if let Action::Show(pane) = action {
            let words = self.scene(snapshot).words(pane);
            return self.say(words.trim_end()).map(|()| None);
        }
        let before = selected(&self.state, &groups(snapshot)).map(super::lanes::Group::id);
        for effect in update(&mut self.state, action, snapshot) {
            match effect {
                Effect::Send(command) => {
                    if !source.send(command) {
                        self.say("the trainer did not take that")?;
                    }
                }
                Effect::Quit => return Ok(Some(Exit::Quit)),
                Effect::TrainOn => return Ok(Some(Exit::TrainOn)),
                Effect::Export(request) => {
                    let written = self.scene(snapshot).export(&request);
                    self.say(&written.unwrap_or_else(|error| error))?;
                }
                Effect::Copy(what) => {
                    let text = self.scene(snapshot).text(what);
                    self.say(text.unwrap_or_else(|error| error).trim_end())?;
                }
                Effect::Browse => desk::browse(&mut self.state),
                Effect::Edit(item) => desk::edit(&mut self.state, &item, snapshot),
                Effect::EditSession(path) => desk::edit_session(&mut self.state, path.as_deref(), snapshot),
                Effect::Save { path, over } => desk::save(&mut self.state, &path, over),
                Effect::Open(draft) => return Ok(Some(Exit::Open(draft))),
                Effect::Suspend | Effect::Redraw | Effect::Evidence => self.report(snapshot)?,
            }
        }
        match self.state.overlay.take() {
            None => {}
            Some(Overlay::Confirm { question, action }) => {
                self.say(&format!("{question} Answer yes or no."))?;
                self.asked = Some(Overlay::Confirm { question, action });
            }
            Some(_) => self.say("that needs the screen; help lists what can be typed here")?,
        }
        if let Some(notice) = self.state.notice.take() {
            self.say(&notice)?;
        }
        let groups = groups(snapshot);
        let now = selected(&self.state, &groups);
        match now.filter(|group| Some(group.id()) != before) {
            Some(group) => self.say(&format!("selected {}", group.name)).map(|()| None),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::Synthetic;
    use super::*;

    fn said(commands: &[&str]) -> (String, Option<Exit>) {
        let source = Synthetic::new(1, 400, 5000, false);
        let snapshot = Snapshot { status: Status::Running, ..Snapshot::clone(&source.snapshot()) };
        let mut lines = Lines {
            state: State::default(),
            theme: Theme { tier: Tier::Mono, ..Theme::default() },
            derived: Derived::default(),
            asked: None,
            out: Vec::new(),
        };
        let mut exit = None;
        for command in commands {
            exit = lines.command(command, &source, &snapshot).unwrap();
        }
        (String::from_utf8(lines.out).unwrap(), exit)
    }

    #[test]
    fn a_report_says_how_every_lane_stands() {
        let (text, _) = said(&[""]);
        assert!(text.starts_with("step 400 of 5000, "), "{text}");
        assert_eq!(text.matches(", loss ").count(), 5, "{text}");
        assert!(text.contains("  weight-transpose, loss ") && text.contains("test accuracy"), "{text}");
    }

    #[test]
    fn commands_are_those_of_the_command_line() {
        assert!(said(&["puase"]).0.contains("did you mean `pause`?"));
        assert!(said(&["next-lane"]).0.contains("selected "));
        let (text, _) = said(&["show cosine"]);
        assert!(text.contains("backprop\t") && text.lines().count() == 5, "{text}");
        let (text, _) = said(&["show formula"]);
        assert!(text.contains("Weight transpose"), "{text}");
        assert!(said(&["help step"]).0.contains("step [N]: "), "{}", said(&["help step"]).0);
    }

    #[test]
    fn questions_are_answered_by_the_next_line() {
        let (text, exit) = said(&["quit"]);
        assert!(text.contains("Answer yes or no") && exit.is_none(), "{text}");
        assert_eq!(said(&["quit", "yes"]).1, Some(Exit::Quit));
        assert_eq!(said(&["quit", "no"]).1, None);
    }
}
