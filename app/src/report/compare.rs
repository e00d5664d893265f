//! Two runs side by side: the numbers of lanes that both have, how they differ, and what differs in the two workspaces.

use super::groups::Report;
use crate::record::folder::differences;
use crate::record::summary::{Figure, GroupSummary, Mean};
use crate::record::table::rounded;
use std::fmt::Write;

/// Numbers that are compared, with how they are written.
const COMPARED: [(Figure, &str, bool); 7] = [
    (Figure::TrainLoss, "train loss", false),
    (Figure::TrainSplitAccuracy, "train acc %", true),
    (Figure::TestLoss, "test loss", false),
    (Figure::TestAccuracy, "test acc %", true),
    (Figure::BestTestAccuracy, "best acc %", true),
    (Figure::GeneralisationGap, "gap %", true),
    (Figure::MeanCosine, "mean cos", false),
];

/// The comparison of two reports of one run each, as Markdown.
pub fn compare(first: &Report, second: &Report) -> String {
    let (a, b) = (&first.runs[0], &second.runs[0]);
    let mut text = format!("# {} and {}\n\n", a.label(), b.label());
    text.push_str("## What differs in the workspaces\n\n");
    match (&a.workspace, &b.workspace) {
        (Some(one), Some(other)) => match differences(one, other) {
            found if found.is_empty() => text.push_str("Nothing.\n"),
            found => found.iter().for_each(|line| {
                let line = line.replacen(" in the run, ", " | ", 1);
                let (path, values) = line.split_once(": ").unwrap_or((&line, ""));
                let (from, to) = values.split_once(" | ").unwrap_or((values, ""));
                let _ = writeln!(text, "- `{path}`: {from} → {}", to.trim_end_matches(" now"));
            }),
        },
        _ => text.push_str("One of them cannot be read by this version.\n"),
    }
    text.push_str("\n## Numbers\n\n");
    let (one, other) = (first.summary().groups, second.summary().groups);
    text.push_str("| lane | number | ");
    let _ = writeln!(text, "{} | {} | difference |\n|---|---|---:|---:|---:|", plain(&a.label()), plain(&b.label()));
    for group in &one {
        let Some(twin) = other.iter().find(|twin| twin.name == group.name) else { continue };
        for (figure, title, percent) in COMPARED {
            let (Some(from), Some(to)) = (group.figures.get(&figure), twin.figures.get(&figure)) else { continue };
            row(&mut text, &group.name, title, (from, to), if percent { 100.0 } else { 1.0 });
        }
        let rates = (group.time.steps_per_second, twin.time.steps_per_second);
        let change = if rates.0 > 0.0 { format!("× {:.2}", rates.1 / rates.0) } else { String::new() };
        let _ = writeln!(
            text,
            "| {} | steps/s | {} | {} | {change} |",
            plain(&group.name),
            rounded(rates.0),
            rounded(rates.1)
        );
        let _ = writeln!(text, "| {} | end | {} | {} | |", plain(&group.name), ends(group), ends(twin));
    }
    let alone = |mine: &[GroupSummary], others: &[GroupSummary]| -> Vec<String> {
        let missing = mine.iter().filter(|group| !others.iter().any(|other| other.name == group.name));
        missing.map(|group| format!("`{}`", group.name)).collect()
    };
    for (label, names) in [(a.label(), alone(&one, &other)), (b.label(), alone(&other, &one))] {
        if !names.is_empty() {
            let _ = writeln!(text, "\nOnly in {label}: {}.", names.join(", "));
        }
    }
    text.push_str(
        "\n`±` is the standard error over seeds; that of a difference is the root of the sum of both squares.\n",
    );
    text
}

fn row(text: &mut String, name: &str, title: &str, (from, to): (&Mean, &Mean), scale: f64) {
    let word = |value: f64, error: Option<f64>, sign: bool| {
        let plus = if sign && value >= 0.0 { "+" } else { "" };
        let error = error.map_or_else(String::new, |error| format!(" ± {}", rounded(scale * error)));
        format!("{plus}{}{error}", rounded(scale * value))
    };
    let error = |mean: &Mean| mean.error.map(|error| error.0);
    let both = match (error(from), error(to)) {
        (Some(a), Some(b)) => Some(a.hypot(b)),
        _ => None,
    };
    let _ = writeln!(
        text,
        "| {} | {title} | {} | {} | {} |",
        plain(name),
        word(from.mean.0, error(from), false),
        word(to.mean.0, error(to), false),
        word(to.mean.0 - from.mean.0, both, true)
    );
}

fn ends(group: &GroupSummary) -> String {
    let all: Vec<String> = group.reasons.iter().map(|(word, count)| format!("{count} {word}")).collect();
    all.join(", ")
}

fn plain(text: &str) -> String {
    text.replace('|', "\\|")
}
