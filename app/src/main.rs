//! The `guesswork` command.
#![forbid(unsafe_code)]

fn main() {}
