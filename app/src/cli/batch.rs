//! The headless face, from what was asked for.

use super::{Exit, Failure};
use crate::batch::{self, Batch, Ended};
use crate::options::{BatchOptions, Format};
use crate::session::Experiment;

/// Runs a workspace to its end without a screen.
///
/// # Errors
/// [`Failure`] when the workspace cannot be read or is not sound.
pub fn batch(options: &BatchOptions) -> Result<Exit, Failure> {
    let mut experiment = Experiment::from_options(&options.run)?;
    // Lanes that do not step at the same time stay in the caches.
    experiment.concurrent =
        experiment.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let mut run = Batch::new(experiment);
    run.out.clone_from(&options.out);
    run.resume = options.resume;
    run.quiet = options.quiet;
    run.format = match options.format {
        Format::Jsonl => batch::Format::JsonLines,
        Format::Csv => batch::Format::Csv,
        Format::None => batch::Format::None,
    };
    run.resume_command = resume_command(std::env::args());
    Ok(match batch::run(run) {
        Ended::Done => Exit::Done,
        Ended::Failed => Exit::Failed,
        Ended::Invalid => Exit::Invalid,
        Ended::Plugin => Exit::Plugin,
        Ended::Diverged => Exit::Diverged,
        Ended::Interrupted(signal) => Exit::Interrupted(signal),
    })
}

/// The command line that was given, with `--resume`, quoted for a shell.
fn resume_command(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    let quote = |word: String| {
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    let mut words: Vec<String> = arguments.map(quote).collect();
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".to_owned());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resume_command_can_be_pasted_into_a_shell() {
        let line = |words: &[&str]| resume_command(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(
            line(&["guesswork", "--batch", "a b.ron", "--out", "runs/x"]),
            "guesswork --batch 'a b.ron' --out runs/x --resume"
        );
        assert_eq!(line(&["guesswork", "--set", "it's", "--resume"]), r"guesswork --set 'it'\''s' --resume");
    }
}
