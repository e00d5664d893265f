//! The tables of a report, as cells that either page writes out.

use super::groups::{Group, Report};
use crate::record::number::Number;
use crate::record::summary::{Mean, Summary};
use crate::record::table::{Cells, cells, rounded};
use crate::record::{EndReason, Key, Quantity};

/// Quantities of the second table: what was measured beside training, as means over the run, or medians ([`by_median`]).
const MEASURED: [(Quantity, &str); 8] = [
    (Quantity::Cosine, "mean of abs cos"),
    (Quantity::OneStep, "one-step (median; quartiles)"),
    (Quantity::OneStepRaw, "one-step, same η (median; quartiles)"),
    (Quantity::NormRatio, "‖ĝ‖/‖g‖"),
    (Quantity::SignAgreement, "sign agreement"),
    (Quantity::BiasSquared, "bias²"),
    (Quantity::Variance, "variance"),
    (Quantity::ScalarFit, "⟨E ĝ, g⟩/‖g‖²"),
];

/// How the lanes came out: the summary's table, with the learning rates.
pub(super) fn results(report: &Report, summary: &Summary) -> Cells {
    let mut table = cells(summary);
    if !table.titles.iter().any(|(title, _)| title == "best lr") {
        table.titles.insert(1, ("η".to_owned(), true));
        for (row, group) in table.rows.iter_mut().zip(&report.groups) {
            row.insert(1, group.rates());
        }
    }
    table
}

/// Whether a run is summed up by the median: ratios whose denominator, the descent of a gradient step, comes near 0.
fn by_median(quantity: Quantity) -> bool {
    matches!(quantity, Quantity::OneStep | Quantity::OneStepRaw)
}

/// What was measured beside training, over the run; nothing where nothing was.
pub(super) fn measured(report: &Report) -> Option<Cells> {
    let columns: Vec<(Quantity, &str)> =
        MEASURED.into_iter().filter(|(quantity, _)| report.measured(*quantity)).collect();
    if columns.is_empty() {
        return None;
    }
    let titles = std::iter::once(("lane".to_owned(), false));
    let titles = titles.chain(columns.iter().map(|(_, title)| ((*title).to_owned(), true))).collect();
    let row = |group: &Group| {
        let cell = |(quantity, _): &(Quantity, &str)| {
            let Some(mean) = whole(group, *quantity) else { return String::new() };
            match quartiles(group, *quantity).filter(|_| by_median(*quantity)) {
                Some([low, high]) => format!("{}; {} … {}", words(&mean), rounded(low), rounded(high)),
                None => words(&mean),
            }
        };
        let cells = columns.iter().map(cell);
        std::iter::once(group.name.clone()).chain(cells).collect()
    };
    Some(Cells { titles, rows: report.groups.iter().map(row).collect() })
}

/// [`mean`], with the error of its probes where there is one seed.
fn whole(group: &Group, quantity: Quantity) -> Option<Mean> {
    let mean = mean(group, quantity)?;
    let of_probes = || {
        let series = group.first().series.get(&Key::whole(quantity.error()?))?;
        Some(Number(series.error_of_mean()))
    };
    Some(Mean { error: mean.error.or_else(|| of_probes().filter(|_| group.lanes.len() == 1)), ..mean })
}

/// Mean and standard error over seeds of a quantity's mean, or median, over the run.
pub(super) fn mean(group: &Group, quantity: Quantity) -> Option<Mean> {
    let of = |lane: &super::gather::Lane| {
        let values = measurements(lane, quantity);
        match by_median(quantity) {
            true => quantile(&values, 0.5),
            false => (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
        }
    };
    Mean::of(&group.lanes.iter().filter_map(of).collect::<Vec<_>>())
}

/// What a quarter of the measurements of a quantity are below and above, over the runs of all seeds.
fn quartiles(group: &Group, quantity: Quantity) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = group.lanes.iter().flat_map(|lane| measurements(lane, quantity)).collect();
    values.sort_by(f64::total_cmp);
    Some([quantile(&values, 0.25)?, quantile(&values, 0.75)?])
}

/// The finite measurements of a quantity over a run, rising.
fn measurements(lane: &super::gather::Lane, quantity: Quantity) -> Vec<f64> {
    let points = lane.series.get(&Key::whole(quantity)).into_iter().flat_map(|series| series.points());
    let mut values: Vec<f64> = points.map(|point| point.value).filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value that a share of rising `values` lie below, between neighbours by interpolation.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let place = share * (values.len().checked_sub(1)? as f64);
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

fn words(mean: &Mean) -> String {
    match mean.error {
        Some(error) => format!("{} ± {}", rounded(mean.mean.0), rounded(error.0)),
        None => rounded(mean.mean.0),
    }
}

/// What each run is: a row of names and values for each.
pub(super) fn identity(report: &Report) -> Vec<Vec<(&'static str, String)>> {
    let of = |(place, run): (usize, &super::Run)| {
        let header = &run.header;
        let list = |seeds: &[u64]| seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let state = match report.interrupted[place] {
            Some(false) => "whole",
            Some(true) => "cut off",
            None => "not ended",
        };
        let threads = header.host.threads.map_or_else(String::new, |threads| format!(", {threads} threads"));
        let mut found = vec![
            ("run", format!("{} ({state})", run.path.display())),
            ("workspace", header.name.clone()),
            ("problem", run.problem()),
            ("steps", header.steps.to_string()),
            ("seeds", format!("{}; data seed {}", list(&header.seeds), header.data_seed)),
            ("started", header.time.started.clone()),
            ("on", format!("{}{threads}, {}", header.host.device, header.host.platform)),
            ("program", format!("guesswork {}", header.version)),
        ];
        if let Some(command) = &header.host.command {
            found.push(("command", command.clone()));
        }
        found
    };
    report.runs.iter().enumerate().map(of).collect()
}

/// The questions that the runs ask, each once.
pub(super) fn questions(report: &Report) -> Vec<String> {
    let all = report.runs.iter().map(|run| run.header.question.clone()).filter(|question| !question.is_empty());
    super::groups::one(all.collect())
}

/// What the tables mean, and which lanes went wrong.
pub(super) fn notes(report: &Report, summary: &Summary) -> Vec<String> {
    let mut notes = vec![
        "`±` is the standard error over seeds, s/√n. `gap` is the accuracy on the training split less that on the test split; \
         `ms/guess` the time of drawing a guess and finding its scalars; `end` why lanes ended: `done` took all steps, `target` met \
         the workspace's target, `budget` had no budget left for another step."
            .to_owned(),
    ];
    let probed = [Quantity::BiasSquared, Quantity::Variance, Quantity::ScalarFit];
    if probed.into_iter().any(|quantity| report.measured(quantity)) {
        notes.push(
            "bias², variance and ⟨E ĝ, g⟩/‖g‖² of a lane of one seed have the standard error over the guesses of their N probes, √Σe²/N; of \
             several seeds that over the seeds, which holds it."
                .to_owned(),
        );
    }
    if let Some(filter) = &report.filter {
        notes.push(format!("Only lanes that meet the filter `{filter}`."));
    }
    for lane in &summary.lanes {
        if let Some((reason, detail)) = lane
            .reason
            .as_ref()
            .filter(|reason| reason.is_failure())
            .and_then(|reason| Some((reason, reason.detail()?)))
        {
            notes.push(format!("{} (seed {}): {}: {detail}.", lane.name, lane.seed, reason.word()));
        }
    }
    let running =
        summary.lanes.iter().filter(|lane| lane.reason.as_ref().is_none_or(|reason| !EndReason::is_final(reason)));
    let running = running.count();
    if running > 0 {
        notes.push(format!("{running} of {} lanes have not come to their end.", summary.lanes.len()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.5, 1.0].map(|share| quantile(&values, share)), [Some(1.0), Some(3.0), Some(8.0)]);
        assert_eq!((quantile(&values, 0.25), quantile(&values[..1], 0.75)), (Some(1.75), Some(1.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
