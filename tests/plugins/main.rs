//! The host and real plugin libraries: the shipped ones, files that are none, and strategies that break rules.

mod faults;
mod fixture;
mod loading;
mod strategies;
