//! A session told to change while it runs: lanes that come, go and are retuned, run after run to the same bits.
#![forbid(unsafe_code)]

mod live;
mod mixture;
mod support;
mod until;
