//! Loading a library in a process of its own first: one that brings its process down, being damaged behind whole headers or
//! failing as it starts, is listed with the reason, and the program goes on.
#![forbid(unsafe_code)]

use super::refusal::Refusal;
use super::{image, library};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a library may take to load.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often its process is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// The program that loads a library, and what it is told before the library's path.
static PROGRAM: OnceLock<(PathBuf, &'static str)> = OnceLock::new();

/// From now on libraries of others are first loaded by `program argument LIBRARY`, which must end with [`load`]. Without it,
/// as in tests, nothing is tried before it is loaded. The first call counts.
pub fn use_program(program: PathBuf, argument: &'static str) {
    PROGRAM.get_or_init(|| (program, argument));
}

/// Loads a library as a run would, and forgets it: all that the process of [`use_program`] is for.
pub fn load(path: &Path) {
    drop(library::load(path));
}

/// Checks that loading `path` leaves a process alive.
///
/// # Errors
/// What the file is instead of a library, or how the process ended.
pub(super) fn check(path: &Path) -> Result<(), Refusal> {
    image::check(path)?;
    let Some((program, argument)) = PROGRAM.get() else { return Ok(()) };
    let mut command = Command::new(program);
    command.arg(argument).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Where no process can be made, it is loaded as if none had been asked for.
    command.spawn().map_or(Ok(()), outcome)
}

fn outcome(mut child: Child) -> Result<(), Refusal> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(Refusal::Crashes(describe(status))),
            Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(GLANCE),
            Ok(None) | Err(_) => {
                // It may have ended in the meantime.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Refusal::Crashes(format!("it was not loaded after {} s", PATIENCE.as_secs())));
            }
        }
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("loading it ends the process with signal {signal}");
    }
    match status.code() {
        Some(code) => format!("loading it ends the process with code {code}"),
        None => "loading it ends the process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Result<(), Refusal> {
        outcome(Command::new("sh").args(["-c", line]).spawn().expect("a shell"))
    }

    #[test]
    fn the_end_of_the_process_is_the_reason() {
        assert_eq!(shell("exit 0"), Ok(()));
        let reason = shell("exit 127").expect_err("it ended otherwise").to_string();
        assert!(reason.contains("with code 127") && reason.contains("build it again"), "{reason}");
        let reason = shell("kill -SEGV $$").expect_err("it ended otherwise").to_string();
        assert!(reason.contains("with signal 11"), "{reason}");
    }
}
