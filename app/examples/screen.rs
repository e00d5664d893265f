//! The workbench on made-up curves: for work on its look, without a model, data or plugins.
//!
//! `cargo run --example screen -- [--seeds N] [--done STEPS] [--breaks] [--ascii] [--light] [--layout N]`
#![forbid(unsafe_code)]

use guesswork::tui::{self, TuiOptions, synthetic::Synthetic};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let number = |flag: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let session = Synthetic::live(number("--seeds", 1), number("--done", 0), number("--steps", 5000), has("--breaks"));
    let options = TuiOptions {
        ascii: has("--ascii"),
        light: has("--light").then_some(true),
        layout: number("--layout", 1) as u8,
        ..TuiOptions::default()
    };
    let exit = tui::run(session, options)?;
    eprintln!("{exit:?}");
    Ok(())
}
