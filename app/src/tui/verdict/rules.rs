//! The rules: when each speaks, what it says, where it can be seen.
#![forbid(unsafe_code)]

use super::{Check, Evidence, Rule, Subject, Verdict, Weight};
use crate::record::{EndReason, Key, Quantity};
use crate::session::history::Series;
use crate::tui::format::{grouped, percent, value};
use crate::tui::lanes::{Group, end_sentence, random_floor};
use crate::tui::panes::PaneId;
use crate::workspace::GuessScaling;

/// Smoothed loss over its least value.
pub const DIVERGING: f64 = 1.3;
/// Weight of the past, at least, in the loss that rules look at.
pub const SMOOTH: f64 = 0.9;
/// Steps before the loss is judged.
pub const EARLY: usize = 20;
/// Measurements that a mean is taken over.
pub const RECENT: usize = 8;
/// |cos| over the random floor.
pub const FLOOR: f64 = 2.0;
/// |cos| over its greatest mean.
pub const HALVED: f64 = 0.5;
/// |cos| over its first mean.
pub const SHARPER: f64 = 1.25;
/// Effective or stable rank over its first value.
pub const NARROWER: f64 = 0.9;
/// Measurements that a bias is judged by.
pub const BIAS_RECENT: usize = 32;
/// Frozen points, at least, at which a bias was measured.
pub const BIAS_POINTS: usize = 3;
/// Standard errors that a bias must be from zero.
pub const BIAS_ERRORS: f64 = 3.0;
/// Share of the gradient's length that a bias must have.
pub const BIAS_SHARE: f64 = 0.2;
/// Share of units that let a signal through.
pub const DEAD: f64 = 0.05;
/// Share of the run, its newest part, without progress.
pub const PLATEAU_SHARE: f64 = 0.25;
/// Steps of that part, at least.
pub const PLATEAU_STEPS: u64 = 200;
/// Progress that counts, as a share of the loss.
pub const PROGRESS: f64 = 0.01;
/// Share of its first value that a loss must still have for its rest to be a plateau.
pub const SOLVED: f64 = 0.05;
/// Share of the time spent measuring.
pub const MEASURING: f64 = 0.5;

/// The table, in the order in which the rules run.
pub static RULES: &[Rule] = &[
    Rule {
        name: "ended",
        when: || "A lane diverged, or its plugin or the engine failed.".to_owned(),
        check: Check::Lane(ended),
    },
    Rule {
        name: "diverging",
        when: || {
            format!(
                "The smoothed loss is at least {DIVERGING} times its least value and above its first, after {EARLY} steps."
            )
        },
        check: Check::Lane(diverging),
    },
    Rule {
        name: "at the floor",
        when: || {
            format!(
                "Mean |cos| of the last {RECENT} measurements is at most {FLOOR} times √(2/(πn)), what random directions have."
            )
        },
        check: Check::Lane(at_the_floor),
    },
    Rule {
        name: "cosine fell",
        when: || {
            format!("Mean |cos| of the last {RECENT} measurements is at most {HALVED} times its greatest such mean.")
        },
        check: Check::Lane(cosine_fell),
    },
    Rule {
        name: "dead masks",
        when: || format!("At most {} of a layer's units let a signal through: dead or saturated.", percent(DEAD)),
        check: Check::Lane(dead_masks),
    },
    Rule {
        name: "plateau",
        when: || {
            format!(
                "The newest {} of the steps, at least {PLATEAU_STEPS}, brought the least smoothed loss down by less than {}, while it is above {} of its first.",
                percent(PLATEAU_SHARE),
                percent(PROGRESS),
                percent(SOLVED)
            )
        },
        check: Check::Lane(plateau),
    },
    Rule {
        name: "sharpening",
        when: || {
            format!(
                "Mean |cos| of the last {RECENT} measurements is at least {SHARPER} times that of the first {RECENT}, and a layer's effective or stable rank is at most {NARROWER} times its first."
            )
        },
        check: Check::Lane(sharpening),
    },
    Rule {
        name: "biased",
        when: || {
            format!(
                "Of a raw estimate whose bias is measured: ‖E ĝ − g‖ over the last measurements, {BIAS_POINTS} to {RECENT}, is more than {} of ‖g‖, and its square {BIAS_ERRORS} standard errors above 0. Where it is not: the part of ĝ along g, over {BIAS_RECENT} measurements, differs from ‖g‖ by more than {} and by {BIAS_ERRORS} standard errors.",
                percent(BIAS_SHARE),
                percent(BIAS_SHARE)
            )
        },
        check: Check::Lane(biased),
    },
    Rule {
        name: "above the floor",
        when: || "Of the selected lane: its mean |cos| over √(2/(πn)).".to_owned(),
        check: Check::Lane(above_the_floor),
    },
    Rule {
        name: "measuring",
        when: || format!("Measurements take more than {} of the time.", percent(MEASURING)),
        check: Check::Session(measuring),
    },
];

fn see(group: &Group<'_>, pane: PaneId) -> Evidence {
    Evidence { lane: Some(group.id()), ..Evidence::pane(pane) }
}

fn ended(_: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let reason = group.ended()?;
    let failed = matches!(reason, EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_));
    failed.then(|| {
        let lane = group.lanes.iter().find(|lane| lane.ended.as_ref() == Some(reason)).unwrap_or(&group.lanes[0]);
        let last = lane.step.saturating_sub(1);
        let evidence = Evidence {
            step: Some(last),
            window: Some((last.saturating_sub(100), last.max(2))),
            ..see(group, PaneId::Loss)
        };
        Verdict { weight: Weight::Bad, text: format!("{} {}", group.name, end_sentence(reason)), evidence }
    })
}

/// The loss as the rules see it: smoothed.
fn loss(subject: &Subject<'_>, group: &Group<'_>) -> Option<std::sync::Arc<Series>> {
    subject.derived.series(group.first(), Key::whole(Quantity::Loss), false, SMOOTH)
}

fn diverging(subject: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let series = loss(subject, group)?;
    let (_, first) = series.get(0)?;
    let (step, last) = series.last()?;
    let least = series.column(0..series.len()).min;
    let so = series.len() > EARLY && least > 0.0 && last > first && last >= DIVERGING * least;
    so.then(|| Verdict {
        weight: Weight::Warn,
        text: format!(
            "{} is diverging: loss {} is {:.1}× its least {}",
            group.name,
            value(last),
            last / least,
            value(least)
        ),
        evidence: Evidence { step: Some(step), ..see(group, PaneId::Loss) },
    })
}

/// Mean magnitude of `count` measurements ending before `end`.
fn mean(series: &Series, end: usize, count: usize) -> Option<f64> {
    let from = end.checked_sub(count)?;
    let found = (from..end).filter_map(|index| series.get(index)).map(|(_, value)| value.abs());
    let values: Vec<f64> = found.filter(|value| value.is_finite()).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The cosines of a lane that guesses, and the mean magnitude of the newest.
fn cosines(group: &Group<'_>) -> Option<(std::sync::Arc<Series>, f64)> {
    let lane = group.first();
    if lane.info.card.kind == "reference" {
        return None;
    }
    let series = lane.history.series(Key::whole(Quantity::Cosine))?;
    let now = mean(&series, series.len(), RECENT)?;
    Some((series, now))
}

fn at_the_floor(_: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let (series, now) = cosines(group)?;
    let floor = random_floor(group.first().info.parameters);
    let over = now / floor;
    (over <= FLOOR).then(|| Verdict {
        weight: Weight::Warn,
        text: format!("{} sits at its random floor: |cos| {} is {over:.1}× {}", group.name, value(now), value(floor)),
        evidence: Evidence { step: series.last().map(|(step, _)| step), ..see(group, PaneId::Cosine) },
    })
}

fn cosine_fell(_: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let (series, now) = cosines(group)?;
    let len = series.len();
    // A hundred places are enough to find the peak.
    let places = (RECENT..=len.saturating_sub(RECENT)).step_by((len / 100).max(1));
    let means = places.filter_map(|end| Some((end, mean(&series, end, RECENT)?)));
    let (end, best) = means.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (now <= HALVED * best && now > FLOOR * random_floor(group.first().info.parameters)).then(|| {
        let since = series.get(end - 1).map_or(0, |(step, _)| step);
        Verdict {
            weight: Weight::Warn,
            text: format!(
                "{}: cosine fell since step {} ({} → {})",
                group.name,
                grouped(since),
                value(best),
                value(now)
            ),
            evidence: Evidence { step: Some(since), ..see(group, PaneId::Cosine) },
        }
    })
}

fn dead_masks(_: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let lane = group.first();
    let densities = lane.info.sites.iter().enumerate().filter_map(|(site, name)| {
        let (step, density) = lane.history.series(Key::site(Quantity::MaskDensity, site))?.last()?;
        density.is_finite().then_some((site, name, step, density))
    });
    let (site, name, step, density) = densities.min_by(|a, b| a.3.total_cmp(&b.3))?;
    (density <= DEAD).then(|| Verdict {
        weight: Weight::Warn,
        text: format!("{}: {} of {name}'s units let a signal through", group.name, percent(density)),
        evidence: Evidence { step: Some(step), layer: Some(site as u16), ..see(group, PaneId::Alignment) },
    })
}

fn plateau(subject: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    if group.lanes.iter().all(|lane| lane.ended.is_some()) {
        return None;
    }
    let series = loss(subject, group)?;
    let (_, first) = series.get(0)?;
    let (last, _) = series.last()?;
    let span = ((last as f64 * PLATEAU_SHARE) as u64).max(PLATEAU_STEPS);
    let from = last.checked_sub(span)?;
    let middle = series.before(from);
    let (before, since) = (series.column(0..middle).min, series.column(middle..series.len()).min);
    let so = before.is_finite() && since > before * (1.0 - PROGRESS) && before > SOLVED * first;
    so.then(|| Verdict {
        weight: Weight::Note,
        text: format!("{}: no progress since step {} (loss {})", group.name, grouped(from), value(since)),
        evidence: Evidence {
            step: Some(from),
            window: Some((from.saturating_sub(span), last)),
            ..see(group, PaneId::Loss)
        },
    })
}

fn sharpening(_: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let (series, now) = cosines(group)?;
    let early = mean(&series, RECENT, RECENT).filter(|_| series.len() >= 2 * RECENT)?;
    if now < SHARPER * early {
        return None;
    }
    let lane = group.first();
    let kinds = [(Quantity::EffectiveRank, "effective"), (Quantity::StableRank, "stable")];
    let ranks = lane.info.sites.iter().enumerate().flat_map(|(site, name)| {
        kinds.iter().filter_map(move |(quantity, kind)| {
            let series = lane.history.series(Key::site(*quantity, site))?;
            let ((_, first), (step, last)) = (series.get(0)?, series.last()?);
            (first > 0.0).then_some((site, format!("{name}'s {kind} rank"), step, first, last))
        })
    });
    let (site, name, step, first, last) = ranks.min_by(|a, b| (a.4 / a.3).total_cmp(&(b.4 / b.3)))?;
    (last <= NARROWER * first).then(|| Verdict {
        weight: Weight::Note,
        text: format!(
            "{} sharpens itself: |cos| {} → {} while {name} falls {} → {}",
            group.name,
            value(early),
            value(now),
            value(first),
            value(last)
        ),
        evidence: Evidence { step: Some(step), layer: Some(site as u16), ..see(group, PaneId::Spectrum) },
    })
}

/// The measurement is of ‖E ĝ − g‖²/‖g‖², around 0 for an estimate without bias; its standard error is that of the mean over the newest
/// frozen points, and that of the root follows from it.
fn measured_bias(group: &Group<'_>, series: &Series) -> Option<Verdict> {
    let newest = (series.len().saturating_sub(RECENT)..series.len()).filter_map(|index| series.get(index));
    let squares: Vec<f64> = newest.map(|(_, square)| square).filter(|square| square.is_finite()).collect();
    if squares.len() < BIAS_POINTS {
        return None;
    }
    let (mean, deviation) = crate::tui::lanes::mean_deviation(&squares);
    let error = deviation / (squares.len() as f64).sqrt();
    (mean > BIAS_SHARE * BIAS_SHARE && mean > BIAS_ERRORS * error).then(|| Verdict {
        weight: Weight::Note,
        text: format!(
            "{} is biased: ‖E ĝ − g‖ is {} ± {} of ‖g‖, measured at {} points",
            group.name,
            value(mean.sqrt()),
            value(error / (2.0 * mean.sqrt())),
            squares.len()
        ),
        evidence: Evidence { step: series.last().map(|(step, _)| step), ..see(group, PaneId::Bias) },
    })
}

/// ⟨ĝ, g⟩/‖g‖² = cos(ĝ, g)·‖ĝ‖/‖g‖ is 1 in the mean for an estimate without bias.
fn biased(_: &Subject<'_>, group: &Group<'_>, _: bool) -> Option<Verdict> {
    let lane = group.first();
    if lane.info.card.kind == "reference" || lane.info.spec.scaling.unwrap_or_default() != GuessScaling::Raw {
        return None;
    }
    if let Some(series) = lane.history.series(Key::whole(Quantity::BiasSquared)) {
        return measured_bias(group, &series);
    }
    let cosine = lane.history.series(Key::whole(Quantity::Cosine))?;
    let ratio = lane.history.series(Key::whole(Quantity::NormRatio))?;
    let from = cosine.len().checked_sub(BIAS_RECENT)?;
    let parts = (from..cosine.len()).filter_map(|index| {
        let (step, cosine) = cosine.get(index)?;
        let (at, ratio) = ratio.at(step)?;
        (at == step).then_some(cosine * ratio).filter(|part| part.is_finite())
    });
    let parts: Vec<f64> = parts.collect();
    if parts.len() < BIAS_RECENT {
        return None;
    }
    let (mean, deviation) = crate::tui::lanes::mean_deviation(&parts);
    let error = deviation / (parts.len() as f64).sqrt();
    let off = (mean - 1.0).abs();
    (off > BIAS_SHARE && off > BIAS_ERRORS * error).then(|| Verdict {
        weight: Weight::Note,
        text: format!(
            "{} is biased: along g its estimate has {} ± {} of ‖g‖ over {BIAS_RECENT} steps",
            group.name,
            value(mean),
            value(error)
        ),
        evidence: Evidence { step: cosine.last().map(|(step, _)| step), ..see(group, PaneId::NormRatio) },
    })
}

fn above_the_floor(_: &Subject<'_>, group: &Group<'_>, selected: bool) -> Option<Verdict> {
    let (series, now) = cosines(group).filter(|_| selected)?;
    let over = now / random_floor(group.first().info.parameters);
    Some(Verdict {
        weight: Weight::Note,
        text: format!("{} sits {}× above its random floor", group.name, grouped(over.round() as u64)),
        evidence: Evidence { step: series.last().map(|(step, _)| step), ..see(group, PaneId::Cosine) },
    })
}

fn measuring(subject: &Subject<'_>) -> Option<Verdict> {
    let (measure, training) = subject.snapshot.lanes.iter().fold((0.0, 0.0), |(measure, training), lane| {
        (measure + lane.seconds.measure, training + lane.seconds.training())
    });
    let share = measure / (measure + training).max(1e-12);
    (share > MEASURING && measure + training > 1.0).then(|| Verdict {
        weight: Weight::Warn,
        text: format!("measuring takes {} of the time", percent(share)),
        evidence: Evidence::pane(PaneId::Cost),
    })
}
