//! The arguments as clap declares them, and their translation into a [`Request`].

mod commands;
mod groups;
#[cfg(test)]
mod tests;

use super::{Exit, ReportOptions, Request};
use crate::options::{
    AttachOptions, BatchOptions, Configuration, Format, Keep, Look, OpenOptions, RunOptions, ScreenOptions,
};
use crate::report::{self, Unit};
use clap::{CommandFactory, Parser};
use commands::{Command, DataCommand, PluginCommand, ReportFormatArgument, UnitArgument};
use groups::{
    BatchArguments, FormatArgument, KeepArguments, LookArguments, PluginArguments, RunArguments, WorkspaceArguments,
};
use std::ffi::OsString;

/// How well can a gradient be guessed without backpropagation?
///
/// Opens a workspace on the screen, or runs it with --batch. A workspace is a file, or the name of a shipped one
/// (`guesswork workspaces` lists them).
#[derive(Debug, Parser)]
#[command(name = "guesswork", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    batch: BatchArguments,
    #[command(flatten)]
    keep: KeepArguments,
    #[command(flatten)]
    look: LookArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 workspace or data invalid, 4 plugin refused or \
                          failed, 5 every lane diverged, 130 or 143 interrupted";

/// The command line's declaration, for completions and the manual page.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Reads the arguments, the program's name first. Help and version are printed here.
///
/// # Errors
/// [`Exit::Usage`] when they are not understood, after saying why; [`Exit::Done`] after printing help or the version.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Exit> {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => Ok(arguments.request()),
        Err(error) => {
            // A reader that went away has nothing left to be told.
            let _ = error.print();
            Err(if error.use_stderr() { Exit::Usage } else { Exit::Done })
        }
    }
}

/// The command that `name` was most likely meant to be.
pub(super) fn nearest_command(name: &str) -> Option<String> {
    let command = command();
    let names = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| command.get_name().to_string());
    names
        .min_by_key(|other| strsim::damerau_levenshtein(name, other))
        .filter(|other| strsim::damerau_levenshtein(name, other) <= other.len().div_ceil(3))
}

impl Arguments {
    fn request(self) -> Request {
        let BatchArguments { batch, format, quiet, filter } = self.batch;
        let KeepArguments { out, resume, no_record } = self.keep;
        match self.command {
            None if batch => {
                let format = match format {
                    FormatArgument::Jsonl => Format::Jsonl,
                    FormatArgument::Csv => Format::Csv,
                    FormatArgument::None => Format::None,
                };
                Request::Batch(BatchOptions { run: self.run.options(), out, format, resume, quiet, filter })
            }
            None => {
                let keep = match out {
                    Some(folder) => Keep::In(folder),
                    None if no_record => Keep::Nothing,
                    None => Keep::Default,
                };
                Request::Screen(ScreenOptions { run: self.run.options(), keep, resume, look: self.look.look() })
            }
            Some(Command::Open { folder, resume, device, threads, plugins, look }) => {
                let plugin_path = plugins.plugin_path;
                Request::Open(OpenOptions { folder, resume, device, threads, plugin_path, look: look.look() })
            }
            Some(Command::Attach { folder, look }) => Request::Attach(AttachOptions { folder, look: look.look() }),
            Some(Command::Report { runs, format, out, filter, by }) => {
                let format = match format {
                    ReportFormatArgument::Md => report::Format::Markdown,
                    ReportFormatArgument::Html => report::Format::Html,
                    ReportFormatArgument::Json => report::Format::Json,
                    ReportFormatArgument::Csv => report::Format::Csv,
                };
                let unit = match by {
                    UnitArgument::Steps => Unit::Steps,
                    UnitArgument::Examples => Unit::Examples,
                    UnitArgument::Derivatives => Unit::Derivatives,
                    UnitArgument::Flop => Unit::Flop,
                    UnitArgument::Seconds => Unit::Seconds,
                };
                Request::Report(ReportOptions { runs, format, out, filter, unit })
            }
            Some(Command::Compare { first, second, filter }) => Request::Compare { first, second, filter },
            Some(Command::Workspaces { name }) => Request::Workspaces(name),
            Some(Command::Check { workspace: WorkspaceArguments { workspace, quick, set }, plugins }) => {
                let plugin_path = plugins.plugin_path;
                Request::Check(RunOptions { workspace, quick, set, plugin_path, ..RunOptions::default() })
            }
            Some(Command::Measure(arguments)) => arguments.request(),
            Some(Command::Bench(arguments)) => arguments.request(),
            Some(Command::Schema) => Request::Schema,
            Some(Command::Plugin(PluginCommand::List(PluginArguments { plugin_path }))) => {
                Request::PluginList { plugin_path }
            }
            Some(Command::Plugin(PluginCommand::Info { strategy, plugins })) => {
                Request::PluginInfo { strategy, plugin_path: plugins.plugin_path }
            }
            Some(Command::Plugin(PluginCommand::Bench { strategy, plugins })) => {
                Request::PluginBench { strategy, plugin_path: plugins.plugin_path }
            }
            Some(Command::Data(DataCommand::List)) => Request::DataList,
            Some(Command::Data(DataCommand::Check { folder })) => Request::DataCheck(folder),
            Some(Command::Data(DataCommand::ConvertCifar10 { from, to })) => Request::DataConvert { from, to },
            Some(Command::Probe { library }) => Request::Probe(library),
            Some(Command::Config { print_default, config }) => {
                let configuration = config.map_or(Configuration::Own, Configuration::In);
                Request::Config { look: Look { configuration, ..Look::default() }, default: print_default }
            }
            Some(Command::Completions { shell }) => Request::Completions(shell),
            Some(Command::Man) => Request::Man,
        }
    }
}
