//! The headless face as a script meets it: the program itself on small workspaces, its streams, files and exit codes.

mod ends;
mod experiments;
mod faults;
mod losses;
mod measure;
mod mixture;
mod options;
mod reports;
mod resume;
mod streams;
mod support;
mod svhn;
