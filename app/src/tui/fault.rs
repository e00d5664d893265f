//! A fault of the screen's own, on demand, in builds with debug assertions alone: the way out of one cannot be tested otherwise.
#![forbid(unsafe_code)]

/// Panics when `GUESSWORK_FAULT=draw` says so, at the third frame.
pub fn at_frame(frame: u64) {
    if cfg!(debug_assertions) && frame == 3 && std::env::var_os("GUESSWORK_FAULT").is_some_and(|fault| fault == "draw")
    {
        panic!("a fault was asked for by GUESSWORK_FAULT");
    }
}
