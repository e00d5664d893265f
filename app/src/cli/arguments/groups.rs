//! Arguments that several commands have, in groups.

use crate::cli::values;
use crate::filter::Filter;
use crate::options::{Colours, Configuration, DeviceChoice, Ground, Look, OnPluginError, RunOptions};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct WorkspaceArguments {
    /// The workspace: a file, or the name of a shipped one [default: quickstart]
    #[arg(value_name = "WORKSPACE.ron")]
    pub(super) workspace: Option<PathBuf>,
    /// A short run of the same experiment, as the workspace's `quick` section describes it
    #[arg(long)]
    pub(super) quick: bool,
    /// Set a value of the workspace: steps=100, lr=0.1, lanes.*.scope=example, lanes[0].clip=1
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct PluginArguments {
    /// Look for strategies in this folder or library first
    #[arg(long, value_name = "PATH")]
    pub(super) plugin_path: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) workspace: WorkspaceArguments,
    /// Seeds in place of the workspace's: 0..5 for 0 to 4, or 1,4,9
    #[arg(long, value_name = "SEEDS", value_parser = SeedList)]
    pub(super) seeds: Option<SeedValues>,
    /// Steps in place of the workspace's
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) steps: Option<u64>,
    /// Wall-clock limit: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) time: Option<Duration>,
    /// Where to compute: auto, cpu, cuda:N, metal
    #[arg(long, default_value = "auto", value_parser = values::device)]
    pub(super) device: DeviceChoice,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    #[command(flatten)]
    pub(super) plugins: PluginArguments,
    /// What to do when a strategy fails in the middle of a run
    #[arg(long, value_name = "ACTION", value_enum, default_value = "stop")]
    pub(super) on_plugin_error: PluginErrorArgument,
}

/// One occurrence of `--seeds`: a list of its own, which clap would otherwise take for many values.
#[derive(Clone, Debug)]
pub(super) struct SeedValues(Vec<u64>);

#[derive(Clone)]
pub(super) struct SeedList;

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
pub(super) struct BatchArguments {
    /// Run without a screen: records on standard output, progress on standard error
    #[arg(long)]
    pub(super) batch: bool,
    /// How records are written
    #[arg(long, value_enum, default_value = "jsonl", requires = "batch")]
    pub(super) format: FormatArgument,
    /// Neither progress nor summary
    #[arg(long, requires = "batch")]
    pub(super) quiet: bool,
    /// Lanes of the summary table: "strategy=weight-transpose lr>0.001 !diverged"
    #[arg(long, value_name = "EXPR", requires = "batch", value_parser = values::filter)]
    pub(super) filter: Option<Filter>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Screen")]
pub(super) struct LookArguments {
    /// Colours: what the configuration says, else NO_COLOR, COLORTERM and TERM
    #[arg(long, visible_alias = "color", value_name = "TIER", value_enum, default_value = "auto")]
    pub(super) colour: ColourArgument,
    /// The terminal's ground: what the configuration says, else COLORFGBG, else dark
    #[arg(long, value_name = "GROUND", value_enum, default_value = "auto")]
    pub(super) theme: GroundArgument,
    /// Only ASCII glyphs
    #[arg(long)]
    pub(super) ascii: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub(super) no_mouse: bool,
    /// The layout to begin with, by number or name
    #[arg(long, value_name = "LAYOUT")]
    pub(super) layout: Option<String>,
    /// Lines in place of a screen, for screen readers and pipes; commands are read from standard input
    #[arg(long)]
    pub(super) plain: bool,
    /// With --plain: a report in so much time
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "10s", requires = "plain")]
    pub(super) every: Duration,
    /// Folder of keys.ron, layouts.ron and theme.ron [default: guesswork in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "DIR", conflicts_with = "no_config")]
    pub(super) config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long)]
    pub(super) no_config: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ColourArgument {
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
pub(super) enum GroundArgument {
    /// By configuration and environment
    Auto,
    /// Dark
    Dark,
    /// Light
    Light,
}

impl LookArguments {
    /// How the screen is to look.
    pub(super) fn look(self) -> Look {
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
pub(super) struct KeepArguments {
    /// Folder of the run: records and checkpoints go there [default on the screen: a new one in
    /// $XDG_STATE_HOME/guesswork/runs]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the run in --out
    #[arg(long, requires = "out")]
    pub(super) resume: bool,
    /// Keep nothing of a run on the screen
    #[arg(long, conflicts_with_all = ["out", "batch"])]
    pub(super) no_record: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormatArgument {
    /// JSON Lines
    Jsonl,
    /// Comma-separated values
    Csv,
    /// No records
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PluginErrorArgument {
    /// Its lane ends, the others go on
    Stop,
    /// Its lane leaves the step out and goes on
    Skip,
    /// The whole run ends
    Abort,
}

impl RunArguments {
    /// What is to be run.
    pub(super) fn options(self) -> RunOptions {
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
