//! The program as the process in which libraries of others are loaded first.

use super::Exit;
use crate::strategy::probe;
use std::path::Path;

/// The hidden subcommand that answers [`probe()`].
const SUBCOMMAND: &str = "probe";

/// From now on libraries that did not come with the program are loaded in a process of their own first.
pub fn look_before_loading() {
    // Where the program does not know itself, libraries are loaded as they come.
    if let Ok(program) = std::env::current_exe() {
        probe::use_program(program, SUBCOMMAND);
    }
}

/// Loads a library and ends: done, if this process still is.
pub fn probe(library: &Path) -> Exit {
    probe::load(library);
    Exit::Done
}
