//! The page as Markdown, its pictures as files beside it.

use super::figures::Drawn;
use super::groups::Report;
use super::tables;
use crate::record::table::Cells;
use std::fmt::Write;

/// The page. Pictures are linked in the folder `figures`; without files they are left out.
pub(super) fn page(report: &Report, figures: &[Drawn], linked: bool) -> String {
    let summary = report.summary();
    let mut text = format!("# {}\n\n", summary.name);
    for question in tables::questions(report) {
        let _ = writeln!(text, "{question}\n");
    }
    text.push_str("## Results\n\n");
    push_table(&mut text, &tables::results(report, &summary));
    if let Some(measured) = tables::measured(report) {
        text.push_str("## Measured beside training\n\nMeans over the run; medians where a column says so.\n\n");
        push_table(&mut text, &measured);
    }
    for note in tables::notes(report, &summary) {
        let _ = writeln!(text, "- {note}");
    }
    if linked && !figures.is_empty() {
        text.push_str("\n## Figures\n");
        for drawn in figures {
            let (title, name) = (&drawn.figure.title, &drawn.name);
            let _ = write!(text, "\n### {title}\n\n![{}](figures/{name}.svg)\n\n", title.replace(['[', ']'], ""));
            let _ = writeln!(text, "{} As [PNG](figures/{name}.png). Made by `{}`.", drawn.caption, report.command);
        }
    }
    text.push_str("\n## Runs\n\n");
    for run in tables::identity(report) {
        for (name, value) in run {
            let _ = writeln!(text, "- {name}: {}", if name == "command" { format!("`{value}`") } else { value });
        }
        text.push('\n');
    }
    let _ = writeln!(text, "This page was made by `{}`.", report.command);
    text
}

fn push_table(text: &mut String, table: &Cells) {
    let plain = |cell: &String| cell.replace('|', "\\|");
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(table.titles.iter().map(|(title, _)| plain(title)).collect()));
    let rule = |(_, right): &(String, bool)| if *right { "---:".to_owned() } else { "---".to_owned() };
    text.push_str(&line(table.titles.iter().map(rule).collect()));
    for row in &table.rows {
        text.push_str(&line(row.iter().map(plain).collect()));
    }
    text.push('\n');
}
