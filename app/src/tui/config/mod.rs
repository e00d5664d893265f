//! What a person sets once: keys, layouts, colours, as RON files that every message points into.
#![forbid(unsafe_code)]

pub mod layouts;
