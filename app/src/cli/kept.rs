//! A run on the screen as it is kept: its sinks, what is said of it at the end, and the view it is left at.

use super::Failure;
use super::batch::{arguments, quoted, typed};
use crate::record::folder::{RunFolder, view_of};
use crate::record::jsonl::Host;
use crate::record::place;
use crate::record::recording::Recording;
use crate::record::replace::replace;
use crate::record::{Level, Message, Observer};
use crate::session::{Command, Experiment, Session, Snapshot, Source};
use crate::tui::Saved;
use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The sinks of a run on the screen.
pub(super) struct Kept {
    recording: Recording,
    folder: Option<RunFolder>,
}

impl Kept {
    /// Opens the sinks in `folder` and tells `experiment` of it. Where the folder holds a part of the run, it goes on from there.
    pub(super) fn begin(experiment: &mut Experiment, folder: Option<RunFolder>) -> Result<Self, Failure> {
        let Some(folder) = folder else {
            return Ok(Self { recording: Recording::none(&experiment.workspace), folder: None });
        };
        experiment.paths().write(folder.path())?;
        let host = Host::new(experiment.device.to_string(), experiment.threads).by(typed(arguments()));
        let recording = Recording::folder(&experiment.workspace, host, &folder, false)?;
        experiment.checkpoints = Some(folder.checkpoints());
        experiment.resume = recording.is_resumed();
        experiment.past = Some(folder.records());
        Ok(Self { recording, folder: Some(folder) })
    }

    pub(super) fn observers(&self) -> Vec<Box<dyn Observer>> {
        self.recording.observers()
    }

    /// What a person should know from the start, as commands that say it in the log.
    pub(super) fn warnings(&self) -> Vec<Command> {
        let unlocked = self.folder.as_ref().filter(|folder| !folder.is_locked()).map(|folder| {
            format!("{}: this file system cannot lock; keep other runs out of it yourself", folder.path().display())
        });
        self.recording.warnings().into_iter().chain(unlocked).map(|text| say(Level::Warn, text)).collect()
    }

    /// Ends the run: summary and view are written. Returns what there is to say, a line each.
    pub(super) fn end(&self, unfinished: bool, step: u64, view: Option<&Saved>) -> Vec<String> {
        let (_, written) = self.recording.finish(unfinished);
        let Some(folder) = &self.folder else {
            return if unfinished {
                vec![format!("stopped at step {step}; nothing of this run was kept")]
            } else {
                vec![]
            };
        };
        let mut lines = Vec::new();
        if let Err(failure) = written {
            lines.push(failure.to_string());
        }
        if let Some(view) = view
            && let Err(error) = write_view(folder.path(), view)
        {
            lines.push(format!("the view is not kept: {}: {error}", view_of(folder.path()).display()));
        }
        let open = open_command(folder.path());
        lines.push(if unfinished {
            format!("stopped at step {step}; go on with: {open} --resume")
        } else {
            format!("all lanes have ended; look at them again with: {open}")
        });
        lines
    }
}

/// The command that opens the run in `folder`, to be typed again.
fn open_command(folder: &Path) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "guesswork".to_owned());
    format!("{} open {}", quoted(&program), quoted(&place::name_of(folder).display().to_string()))
}

fn say(level: Level, text: String) -> Command {
    Command::Say(Box::new(Message { lane: None, step: None, level, text }))
}

/// Writes `view` where the run in `folder` is opened at it.
pub(super) fn write_view(folder: &Path, view: &Saved) -> io::Result<()> {
    let text = view.to_ron().map_err(io::Error::other)?;
    replace(&view_of(folder), format!("{text}\n").as_bytes())
}

/// The view that the run in `folder` was left at, if any; why it cannot be read, when it cannot.
pub(super) fn read_view(folder: &Path) -> (Option<Saved>, Option<String>) {
    let path = view_of(folder);
    let read = match fs::read_to_string(&path) {
        Ok(text) => Saved::from_ron(&text).map_err(|error| format!("{}:{error}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    match read {
        Ok(view) => (Some(view), None),
        Err(why) => (None, Some(format!("the view it was left at cannot be read: {why}"))),
    }
}

/// A session whose sinks are looked after: when they fail, the log says so, once.
pub(super) struct Recorded<'a> {
    session: &'a Session,
    kept: &'a Kept,
    told: Cell<bool>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(session: &'a Session, kept: &'a Kept) -> Self {
        Self { session, kept, told: Cell::new(false) }
    }
}

impl Source for Recorded<'_> {
    fn snapshot(&self) -> Arc<Snapshot> {
        if !self.told.get()
            && let Some(failure) = self.kept.recording.failure()
        {
            let text = format!("this run is no longer recorded, training goes on: {failure}");
            self.told.set(self.session.send(say(Level::Error, text)));
        }
        self.session.snapshot()
    }

    fn send(&self, command: Command) -> bool {
        self.session.send(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::state::State;

    #[test]
    fn a_view_is_kept_beside_the_run() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_view(folder.path()), (None, None));
        let view = Saved::of(&State { layout: 2, ..State::default() });
        write_view(folder.path(), &view).unwrap();
        assert_eq!(read_view(folder.path()), (Some(view), None));
        fs::write(view_of(folder.path()), "(\n  layout: two)").unwrap();
        let (view, why) = read_view(folder.path());
        assert_eq!(view, None);
        assert!(why.unwrap().contains("view.ron:2:"));
    }

    #[test]
    fn without_a_folder_nothing_is_promised() {
        let mut experiment = Experiment::new(crate::workspace::EMBEDDED[0].document().unwrap().workspace);
        let kept = Kept::begin(&mut experiment, None).unwrap();
        assert_eq!(kept.end(false, 9, None), Vec::<String>::new());
        assert!(kept.end(true, 9, None)[0].contains("step 9"));
        assert!(experiment.checkpoints.is_none() && experiment.past.is_none());
    }
}
