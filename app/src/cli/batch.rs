//! A run without a screen.

use super::{Exit, Failure};
use crate::batch::{self, Batch, Ended};
use crate::options::BatchOptions;
use crate::session::Experiment;

/// Runs a workspace to its end. What went wrong on the way has been said on standard error.
///
/// # Errors
/// [`Failure`] when the workspace is invalid.
pub fn batch(options: &BatchOptions) -> Result<Exit, Failure> {
    let BatchOptions { run, out, format, resume, quiet, filter } = options;
    let mut experiment = Experiment::from_options(run)?;
    // Lanes that do not step at the same time stay in the caches.
    experiment.concurrent = run.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let batch = Batch {
        experiment,
        out: out.clone(),
        resume: *resume,
        format: *format,
        quiet: *quiet,
        filter: filter.clone(),
        command: typed(arguments()),
        resume_command: resume_command(arguments()),
    };
    Ok(match batch::run(batch) {
        Ended::Done => Exit::Done,
        Ended::Failed => Exit::Failed,
        Ended::Invalid => Exit::Invalid,
        Ended::Plugin => Exit::Plugin,
        Ended::Diverged => Exit::Diverged,
        Ended::Interrupted(signal) => Exit::Interrupted(signal),
    })
}

/// The arguments of this process, the program first.
pub(super) fn arguments() -> impl Iterator<Item = String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned())
}

/// The command line `arguments`, to be typed again: the program by its name alone.
pub(super) fn typed(arguments: impl Iterator<Item = String>) -> String {
    let name =
        |program: &str| std::path::Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
    let words = arguments.enumerate().map(|(place, word)| match place {
        0 => quoted(&name(&word).unwrap_or(word)),
        _ => quoted(&word),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The command line `arguments`, to be typed again, with `--resume`.
fn resume_command(arguments: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = arguments.map(|argument| quoted(&argument)).collect();
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".into());
    }
    words.join(" ")
}

/// `word` as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_again() {
        let typed = |words: &[&str]| resume_command(words.iter().map(ToString::to_string));
        assert_eq!(
            typed(&["guesswork", "--batch", "my run.ron", "--set", "lanes[0].name=\"it's\"", "--out", "runs/a"]),
            "guesswork --batch 'my run.ron' --set 'lanes[0].name=\"it'\\''s\"' --out runs/a --resume"
        );
        assert_eq!(typed(&["guesswork", "--resume", ""]), "guesswork --resume ''");
        let plain = ["target/release/guesswork", "report", "my runs/a"].map(str::to_owned);
        assert_eq!(super::typed(plain.into_iter()), "guesswork report 'my runs/a'");
    }
}
