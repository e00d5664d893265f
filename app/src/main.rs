//! The `guesswork` command: one match on what was asked.
#![forbid(unsafe_code)]

use guesswork::cli::{self, Exit, Failure, Request};
use std::process::ExitCode;

fn main() -> ExitCode {
    let answered = match cli::parse(std::env::args_os()) {
        Ok(request) => answer(request),
        Err(exit) => Ok(exit),
    };
    match answered {
        Ok(exit) => exit.into(),
        Err(Failure { exit, message }) => {
            cli::print_error(&message);
            exit.into()
        }
    }
}

fn answer(request: Request) -> Result<Exit, Failure> {
    if !matches!(request, Request::Probe(_)) {
        cli::look_before_loading();
    }
    request.check_plugin_paths()?;
    match request {
        Request::Screen(options) => cli::screen(&options),
        Request::Open(options) => cli::open(&options),
        Request::Attach(options) => cli::attach(&options),
        Request::Batch(options) => cli::batch(&options),
        Request::Probe(library) => Ok(cli::probe(&library)),
        Request::PluginList { plugin_path } => cli::plugin_list(&plugin_path),
        Request::PluginInfo { strategy, plugin_path } => cli::plugin_info(&strategy, &plugin_path),
        Request::Report(options) => cli::report(&options),
        Request::Compare { first, second, filter } => cli::compare(&first, &second, filter.as_ref()),
        Request::Measure(options) => cli::measure(&options),
        Request::Bench { bench, json, serve } => cli::bench(&bench, json.as_deref(), serve),
        Request::PluginBench { strategy, plugin_path } => cli::plugin_bench(&strategy, &plugin_path),
        Request::Workspaces(name) => cli::workspaces(name.as_deref()),
        Request::Check(options) => cli::check(&options),
        Request::Schema => cli::schema(),
        Request::DataList => cli::data_list(),
        Request::DataCheck(folder) => cli::data_check(&folder),
        Request::DataConvert { from, to } => cli::convert_cifar10(&from, &to),
        Request::Config { look, default } => cli::config(&look, default.as_deref()),
        Request::Completions(shell) => cli::completions(shell),
        Request::Man => cli::man(),
    }
}
