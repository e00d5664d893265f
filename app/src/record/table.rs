//! A summary as a table: aligned text for a terminal, Markdown for a document.
#![forbid(unsafe_code)]

use super::summary::{Figure, GroupSummary, Mean, Summary};

/// A table as cells: titles with whether their column is of numbers, and rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// Titles; `true` where cells stand at the right.
    pub titles: Vec<(String, bool)>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
}

/// The groups of `summary` with every column.
pub fn cells(summary: &Summary) -> Cells {
    let columns = columns(summary);
    Cells {
        titles: columns.iter().map(|column| (column.title.clone(), column.right)).collect(),
        rows: (0..summary.groups.len())
            .map(|row| columns.iter().map(|column| column.cells[row].clone()).collect())
            .collect(),
    }
}

/// A column: what it says of a group, and how soon it gives way on a narrow screen.
struct Column {
    title: String,
    /// 0 stays whatever the width; larger goes first.
    yields: u8,
    right: bool,
    cells: Vec<String>,
}

/// The groups of `summary` as aligned text, a line each and one above; columns of less weight are left out until it fits
/// `width` characters. Lines end in `\n`.
pub fn text(summary: &Summary, width: usize) -> String {
    let mut columns = columns(summary);
    while line_width(&columns) > width {
        let Some(index) = (0..columns.len()).filter(|&i| columns[i].yields > 0).max_by_key(|&i| columns[i].yields)
        else {
            break;
        };
        columns.remove(index);
    }
    let mut out = lines(&columns, summary.groups.len());
    for line in notes(summary) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// `table` as aligned text: titles, a rule, a line a row. Lines end in `\n`.
pub fn aligned(table: &Cells) -> String {
    let column = |(place, (title, right)): (usize, &(String, bool))| Column {
        title: title.clone(),
        yields: 0,
        right: *right,
        cells: table.rows.iter().map(|row| row[place].clone()).collect(),
    };
    lines(&table.titles.iter().enumerate().map(column).collect::<Vec<_>>(), table.rows.len())
}

fn lines(columns: &[Column], rows: usize) -> String {
    let mut out = String::new();
    push_line(&mut out, columns, |column| &column.title);
    let rule: Vec<String> = columns.iter().map(|column| "─".repeat(column.width())).collect();
    out.push_str(&rule.join("──"));
    out.push('\n');
    for row in 0..rows {
        push_line(&mut out, columns, |column| &column.cells[row]);
    }
    out
}

/// The groups of `summary` as a Markdown table with every column.
pub fn markdown(summary: &Summary) -> String {
    let columns = columns(summary);
    let row = |cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = columns.iter().map(cell).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut out = row(&|column| column.title.clone());
    out.push_str(&row(&|column| if column.right { "---:".into() } else { "---".into() }));
    for index in 0..summary.groups.len() {
        out.push_str(&row(&|column| column.cells[index].replace('|', "\\|")));
    }
    out
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().chain([&self.title]).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn line_width(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width() + 2).sum::<usize>().saturating_sub(2)
}

fn push_line<'a>(out: &mut String, columns: &'a [Column], cell: impl Fn(&'a Column) -> &'a str) {
    let start = out.len();
    for column in columns {
        let text = cell(column);
        let space = " ".repeat(column.width().saturating_sub(text.chars().count()));
        if out.len() > start {
            out.push_str("  ");
        }
        let (left, right) = if column.right { (space.as_str(), text) } else { (text, space.as_str()) };
        out.push_str(left);
        out.push_str(right);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn columns(summary: &Summary) -> Vec<Column> {
    let groups = &summary.groups;
    let column = |title: &str, yields: u8, right: bool, cell: &dyn Fn(&GroupSummary) -> String| Column {
        title: title.into(),
        yields,
        right,
        cells: groups.iter().map(cell).collect(),
    };
    let has = |figure: Figure| groups.iter().any(|group| group.figures.contains_key(&figure));
    let mut columns = vec![column("lane", 0, false, &|group| group.name.clone())];
    if groups.iter().any(|group| group.seeds > 1) {
        columns.push(column("seeds", 4, true, &|group| group.seeds.to_string()));
    }
    for path in groups.iter().flat_map(|group| group.chosen.keys()).collect::<std::collections::BTreeSet<_>>() {
        let title = format!("best {path}");
        columns.push(column(&title, 1, true, &|group| group.chosen.get(path).cloned().unwrap_or_default()));
    }
    columns.push(column("steps", 3, true, &|group| match group.steps {
        (low, high) if low == high => high.to_string(),
        (low, high) => format!("{low}–{high}"),
    }));
    let split = uses_split(summary);
    let (loss, accuracy) = match split {
        true => (Figure::TrainSplitLoss, Figure::TrainSplitAccuracy),
        false => (Figure::TrainLoss, Figure::TrainAccuracy),
    };
    for (title, yields, figure, show) in [
        ("train loss", 2, loss, plain as fn(&Mean) -> String),
        ("train acc %", 6, accuracy, percent),
        ("val loss", 7, Figure::ValidationLoss, plain),
        ("val acc %", 8, Figure::ValidationAccuracy, percent),
        ("test loss", 1, Figure::TestLoss, plain),
        ("test acc %", 1, Figure::TestAccuracy, percent),
        ("best acc %", 9, Figure::BestTestAccuracy, percent),
        ("gap %", 9, Figure::GeneralisationGap, percent),
        ("mean cos", 1, Figure::MeanCosine, plain),
    ] {
        if has(figure) {
            columns
                .push(column(title, yields, true, &|group| group.figures.get(&figure).map_or_else(String::new, show)));
        }
    }
    columns.push(column("steps/s", 5, true, &|group| rounded(group.time.steps_per_second)));
    if groups.iter().any(|group| group.time.per_guess.is_some()) {
        columns.push(column("ms/guess", 9, true, &|group| {
            group.time.per_guess.map_or_else(String::new, |seconds| rounded(1e3 * seconds))
        }));
    }
    columns.push(column("measuring", 10, true, &|group| format!("{:.0} %", 100.0 * group.time.measuring_share)));
    columns.push(column("end", 1, false, &|group| match group.reasons.len() {
        1 => group.reasons.keys().cloned().collect(),
        _ => group.reasons.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", "),
    }));
    columns
}

/// Whether every lane measured the whole training split, so that it stands for the batches' running mean.
fn uses_split(summary: &Summary) -> bool {
    !summary.groups.is_empty() && summary.groups.iter().all(|group| group.figures.contains_key(&Figure::TrainSplitLoss))
}

fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    let many = summary.groups.iter().any(|group| group.seeds > 1);
    let train = if uses_split(summary) { "the whole training split" } else { "a running mean over batches" };
    notes.push(format!("train: {train}{}", if many { "; ± standard error over seeds" } else { "" }));
    for lane in &summary.lanes {
        let failed = lane.reason.as_ref().filter(|reason| reason.is_failure());
        if let Some((reason, detail)) = failed.and_then(|reason| Some((reason, reason.detail()?))) {
            notes.push(format!("{} (seed {}): {}: {detail}", lane.name, lane.seed, reason.word()));
        }
    }
    notes
}

/// `0.412`, `0.412 ± 0.010`.
fn plain(mean: &Mean) -> String {
    with_error(mean, rounded)
}

/// `86.2`, `86.2 ± 0.4`.
fn percent(mean: &Mean) -> String {
    with_error(mean, |value| format!("{:.1}", 100.0 * value))
}

fn with_error(mean: &Mean, show: impl Fn(f64) -> String) -> String {
    match mean.error {
        Some(error) => format!("{} ± {}", show(mean.mean.0), show(error.0)),
        None => show(mean.mean.0),
    }
}

/// Three decimals for what is near 1, fewer for what is large, an exponent for what is small or huge.
pub fn rounded(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => format!("{value}"),
        0.0 => "0".into(),
        size if size >= 1e6 => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::jsonl::tests::{lane, report};
    use crate::record::tally::Tally;
    use crate::record::{EndReason, Key, LaneEnd, Observer, Quantity, StageSeconds};

    fn summary() -> Summary {
        let mut tally = Tally::new("tiny", Some("lr"));
        for (id, name, seed, loss) in
            [(0, "backprop", 0, 0.25), (1, "backprop", 1, 0.75), (2, "weight|transpose", 0, f64::NAN)]
        {
            tally.lane_started(&lane(id, name, seed));
            let mut report = report(id, 0, loss);
            report.values.push((Key::whole(Quantity::TestLoss), 2.0 * loss));
            report.values.push((Key::whole(Quantity::TestAccuracy), 0.875));
            report.values.push((Key::whole(Quantity::Cosine), 0.0022));
            tally.step(&report);
            let seconds = StageSeconds { forward: 0.5, measure: 0.5, ..StageSeconds::default() };
            let reason = if loss.is_nan() { EndReason::Diverged("loss is NaN".into()) } else { EndReason::Done };
            tally.lane_ended(&LaneEnd { lane: id, steps: 1, reason, seconds });
        }
        tally.summary(false)
    }

    #[test]
    fn text_is_aligned_and_whole() {
        insta::assert_snapshot!(text(&summary(), usize::MAX));
    }

    #[test]
    fn narrow_text_keeps_what_matters() {
        let text = text(&summary(), 100);
        assert!(text.lines().take(4).all(|line| line.chars().count() <= 100), "{text}");
        for title in ["lane", "test loss", "test acc %", "mean cos", "end"] {
            assert!(text.contains(title), "{title}: {text}");
        }
        assert!(!text.contains("measuring"), "{text}");
    }

    #[test]
    fn markdown_has_every_column_and_no_stray_bars() {
        insta::assert_snapshot!(markdown(&summary()));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.0022, "2.2e-3"), (0.41234, "0.412"), (12.345, "12.3"), (412.3, "412"), (2e7, "2.00e7")]
        {
            assert_eq!(rounded(value), text);
        }
        assert_eq!(rounded(f64::NAN), "NaN");
    }
}
