//! What cannot be done to a run that is only looked at, and what to do instead.
#![forbid(unsafe_code)]

use super::action::Action;
use crate::session::protocol::{Origin, Snapshot, Status};

/// Said when a command finds nobody.
pub const READ_ONLY: &str = "this run is read-only here";

/// Why `action` means nothing for the run shown; `None` when it does.
pub fn refusal(action: &Action, snapshot: &Snapshot) -> Option<&'static str> {
    let control = matches!(
        action,
        Action::TogglePause
            | Action::Step(_)
            | Action::Reset
            | Action::NewLane
            | Action::CopyLane
            | Action::EditLane
            | Action::DropLane
            | Action::Set(..)
            | Action::RateUp
            | Action::RateDown
    );
    match (snapshot.origin, action) {
        _ if !control => None,
        (Origin::Training, _) => None,
        (Origin::Attached, _) => Some("attached, read-only: the process that trains takes no commands from here"),
        (Origin::Opened, Action::TogglePause) => match snapshot.status {
            Status::Starting => Some("still reading the records"),
            Status::Finished => Some("all lanes have ended: there is nothing left to train"),
            Status::Failed(_) => Some("the records cannot be read"),
            Status::Running | Status::Paused | Status::Stopped => None,
        },
        (Origin::Opened, _) => Some("opened, read-only: space goes on training from the checkpoints"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(origin: Origin, status: Status) -> Snapshot {
        Snapshot { origin, status, ..Snapshot::default() }
    }

    #[test]
    fn looking_is_always_allowed() {
        for origin in [Origin::Training, Origin::Opened, Origin::Attached] {
            for action in [Action::Quit, Action::ZoomIn, Action::Help, Action::Layout(2), Action::NextLane] {
                assert_eq!(refusal(&action, &snapshot(origin, Status::Running)), None, "{action:?}");
            }
        }
    }

    #[test]
    fn only_a_stopped_run_goes_on() {
        let refused = |origin, status| refusal(&Action::TogglePause, &snapshot(origin, status)).is_some();
        assert!(!refused(Origin::Opened, Status::Stopped));
        assert!(refused(Origin::Opened, Status::Finished) && refused(Origin::Opened, Status::Starting));
        assert!(refused(Origin::Attached, Status::Stopped));
        assert!(!refused(Origin::Training, Status::Running));
        assert!(refusal(&Action::Reset, &snapshot(Origin::Opened, Status::Stopped)).is_some());
    }
}
