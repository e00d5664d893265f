//! How the screen is to look: flags over the person's own files over what is built in.

use super::{Exit, Failure, print};
use crate::options::{Colours, Configuration, Ground, Look};
use crate::tui::TuiOptions;
use crate::tui::config::{Config, File, folder};
use crate::tui::theme::Tier;
use std::fmt::Write;
use std::path::PathBuf;

/// What `look` asks for, with the configuration read.
///
/// # Errors
/// [`Failure`] with everything that is wrong with the configuration, or when there is no such layout.
pub(super) fn options(look: &Look) -> Result<TuiOptions, Failure> {
    let config = match place(look)? {
        Some(folder) => Config::load(&folder)?,
        None => Config::default(),
    };
    let layout = match &look.layout {
        None => 1,
        Some(name) => config.layouts.number(name).ok_or_else(|| {
            let names: Vec<&str> = config.layouts.all().iter().map(|layout| layout.name.as_str()).collect();
            Failure::new(Exit::Usage, format!("no layout `{name}`; the layouts are {}", names.join(", ")))
        })?,
    };
    Ok(TuiOptions {
        mouse: look.mouse,
        ascii: look.ascii,
        light: match look.ground {
            Ground::Auto => None,
            Ground::Dark => Some(false),
            Ground::Light => Some(true),
        },
        tier: match look.colours {
            Colours::Auto => None,
            Colours::True => Some(Tier::True),
            Colours::Ansi256 => Some(Tier::Ansi256),
            Colours::Ansi16 => Some(Tier::Ansi16),
            Colours::None => Some(Tier::Mono),
        },
        layout,
        config,
        view: None,
        notice: None,
    })
}

/// The folder that the configuration is read from.
fn place(look: &Look) -> Result<Option<PathBuf>, Failure> {
    match &look.configuration {
        Configuration::Own => Ok(folder()),
        Configuration::None => Ok(None),
        Configuration::In(folder) if folder.is_dir() => Ok(Some(folder.clone())),
        Configuration::In(folder) => {
            Err(Failure::new(Exit::Invalid, format!("--config {}: there is no such folder", folder.display())))
        }
    }
}

/// Where the configuration is read from, and whether it is sound; or the built-in one of `print`, to begin a file with.
///
/// # Errors
/// [`Failure`] with everything that is wrong with the files that are there.
pub fn config(look: &Look, default: Option<&str>) -> Result<Exit, Failure> {
    if let Some(name) = default {
        let file = File::ALL.into_iter().find(|file| file.name().trim_end_matches(".ron") == name);
        let unknown = || Failure::new(Exit::Usage, format!("no configuration `{name}`: keys, layouts, theme"));
        return print(&file.ok_or_else(unknown)?.default_text());
    }
    let Some(folder) = place(look)? else {
        return print("no folder for configuration: what is built in holds\n");
    };
    let mut text = format!("configuration in {}\n", folder.display());
    for file in File::ALL {
        let path = folder.join(file.name());
        let name = file.name().trim_end_matches(".ron");
        let state = if path.exists() { "read".to_owned() } else { "not there; built in".to_owned() };
        let _ = writeln!(text, "  {name:<8} {}  ({state})", path.display());
    }
    let _ = writeln!(
        text,
        "to begin one: guesswork config --print-default keys > {}",
        folder.join(File::Keys.name()).display()
    );
    print(&text)?;
    Config::load(&folder)?;
    Ok(Exit::Done)
}
