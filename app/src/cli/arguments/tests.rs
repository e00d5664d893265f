//! Command lines and what they come to.

use super::*;
use crate::cli::MeasureOptions;
use crate::options::{Colours, DeviceChoice, Ground, OnPluginError};
use std::time::Duration;

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
        "measure a b",
        "measure a --guesses 1",
        "measure a --guesses -3",
        "measure a --format csv",
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
    let line = "measure r --lane a --lane b --guesses 9 --out m.json --format json --threads 2 --plugin-path p";
    let measure = MeasureOptions {
        folder: Some("r".into()),
        lanes: vec!["a".into(), "b".into()],
        guesses: Some(9),
        out: Some("m.json".into()),
        json: true,
        threads: Some(2),
        plugin_path: vec!["p".into()],
        ..MeasureOptions::default()
    };
    assert_eq!(read(line), Ok(Request::Measure(measure)));
    assert_eq!(read("measure"), Ok(Request::Measure(MeasureOptions::default())));
    let attach = |look| Ok(Request::Attach(AttachOptions { folder: Some("r".into()), look }));
    assert_eq!(read("attach r"), attach(Look::default()));
    let plain = Look { plain: Some(Duration::from_secs(1)), ..Look::default() };
    assert_eq!(read("attach r --plain --every 1s"), attach(plain.clone()));
    let open = OpenOptions { look: Look { ascii: true, ..plain }, ..OpenOptions::default() };
    assert_eq!(read("open --ascii --plain --every 1s"), Ok(Request::Open(open)));
    let info = Request::PluginInfo { strategy: "a".into(), plugin_path: vec!["p".into()] };
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
