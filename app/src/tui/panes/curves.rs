//! The curves of a chart: one quantity of one group, a strand a seed, with what they look like a column at a time.
#![forbid(unsafe_code)]

use super::super::chart::{Steps, curve};
use super::super::context::Context;
use super::super::lanes::{Group, mean_deviation};
use super::super::progress::Ruler;
use super::super::state::SMOOTHING;
use crate::record::{Key, Quantity};
use crate::session::history::{Column, Series};
use crate::session::protocol::LaneView;
use ratatui::style::Color;
use std::sync::Arc;

/// One seed's series.
pub struct Strand<'a> {
    /// Where its steps lie along x.
    pub ruler: Ruler<'a>,
    /// What is shown.
    pub shown: Arc<Series>,
    /// Raw values, where they differ: what is marked beyond the range or not finite.
    pub raw: Option<Arc<Series>>,
}

/// A curve: one quantity of one group, with a strand for each seed.
pub struct Curve<'a> {
    /// What the read-out calls it.
    pub label: String,
    /// One glyph.
    pub marker: String,
    /// Said in the margin in place of the newest value: for curves that no list names.
    pub tag: Option<String>,
    /// Its colour.
    pub colour: Color,
    /// Colour of its raw values and its band.
    pub faint: Color,
    /// Drawn dashed, without marker and margin value: the test split.
    pub dashed: bool,
    /// Drawn in front.
    pub front: bool,
    /// A strand a seed.
    pub strands: Vec<Strand<'a>>,
    /// Whether the raw values are drawn behind it.
    pub draw_raw: bool,
    /// Whether it is a magnitude: values near zero are changes of sign and no spikes.
    pub magnitude: bool,
}

/// What a curve says at a place: the step measured (of the first seed), mean and deviation over the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// Step of the value.
    pub step: u64,
    /// Mean over the seeds.
    pub mean: f64,
    /// Sample deviation over the seeds.
    pub deviation: f64,
}

impl Curve<'_> {
    /// Its value at `at` (the newest when `None`). None where no lane has come so far.
    pub fn value(&self, at: Option<u64>) -> Option<Said> {
        said(self.strands.iter().filter_map(|strand| strand.ruler.read(&strand.shown, at)))
    }

    /// The same of the raw values, where they differ from what is shown.
    pub fn raw(&self, at: Option<u64>) -> Option<Said> {
        said(self.strands.iter().filter_map(|strand| strand.ruler.read(strand.raw.as_ref()?, at)))
    }
}

fn said(values: impl Iterator<Item = (u64, f64)>) -> Option<Said> {
    let (steps, values): (Vec<u64>, Vec<f64>) = values.unzip();
    let (mean, deviation) = mean_deviation(&values);
    steps.first().map(|&step| Said { step, mean, deviation })
}

/// The strands of `group` for which `of` has a series, those that get on in the unit of x.
fn strands<'a>(
    context: &Context<'_>,
    group: &Group<'a>,
    of: impl Fn(&'a LaneView) -> Option<(Arc<Series>, Option<Arc<Series>>)>,
) -> Vec<Strand<'a>> {
    let lanes = group.lanes.iter().map(|&lane| (lane, Ruler::new(context.state.unit, lane)));
    lanes
        .filter(|(_, ruler)| ruler.moves())
        .filter_map(|(lane, ruler)| of(lane).map(|(shown, raw)| Strand { ruler, shown, raw }))
        .collect()
}

/// A lane's series for showing: minus the baseline's of the same seed (else of its first) where differences are shown.
fn series(context: &Context<'_>, lane: &LaneView, key: Key, magnitude: bool, beta: f64) -> Option<Arc<Series>> {
    let Some(baseline) = context.baseline() else { return context.derived.series(lane, key, magnitude, beta) };
    let twin = baseline.lanes.iter().find(|other| other.info.seed == lane.info.seed);
    let base = twin.copied().unwrap_or(baseline.first());
    context.derived.difference(lane, base, key, magnitude, beta, context.state.unit)
}

/// The curve of `key` for `group`, smoothed as the state says; of its magnitude when asked. The baseline of differences has none.
pub fn curve_of<'a>(context: &Context<'_>, group: &Group<'a>, key: Key, magnitude: bool) -> Option<Curve<'a>> {
    if context.baseline().is_some_and(|baseline| baseline.id() == group.id()) {
        return None;
    }
    let beta = context.state.beta();
    let strands = strands(context, group, |lane| {
        let shown = series(context, lane, key, magnitude, beta)?;
        let raw = if beta > 0.0 { series(context, lane, key, magnitude, 0.0) } else { None };
        Some((shown, raw))
    });
    let magnitude = magnitude && context.baseline().is_none();
    let front = context.is_selected(group);
    (!strands.is_empty()).then(|| Curve {
        label: group.name.clone(),
        marker: context.theme.marker(group.colour).to_owned(),
        tag: None,
        colour: if front { context.theme.lane(group.colour) } else { context.theme.lane_faint(group.colour, 0.8) },
        faint: context.theme.lane_faint(group.colour, if front { 0.42 } else { 0.26 }),
        dashed: false,
        front,
        strands,
        draw_raw: group.lanes.len() == 1 && !magnitude,
        magnitude,
    })
}

/// A curve of `key` for `group` as it was measured, never smoothed.
pub fn plain_of<'a>(context: &Context<'_>, group: &Group<'a>, key: Key) -> Option<Curve<'a>> {
    let mut curve = dashed_of(context, group, key)?;
    curve.dashed = false;
    curve.colour = if curve.front { context.theme.lane(group.colour) } else { curve.colour };
    Some(curve)
}

/// A dashed curve of `key` for `group`, not smoothed: what is measured on the test split.
pub fn dashed_of<'a>(context: &Context<'_>, group: &Group<'a>, key: Key) -> Option<Curve<'a>> {
    if context.baseline().is_some_and(|baseline| baseline.id() == group.id()) {
        return None;
    }
    let strands = strands(context, group, |lane| Some((series(context, lane, key, false, 0.0)?, None)));
    let front = context.is_selected(group);
    (!strands.is_empty()).then(|| Curve {
        label: group.name.clone(),
        marker: context.theme.marker(group.colour).to_owned(),
        tag: None,
        colour: context.theme.lane_faint(group.colour, if front { 0.9 } else { 0.7 }),
        faint: context.theme.lane_faint(group.colour, 0.26),
        dashed: true,
        front,
        strands,
        draw_raw: false,
        magnitude: false,
    })
}

/// Curves of a whole-model quantity of every lane, the selected one in front.
pub fn lane_curves<'a>(context: &Context<'a>, quantity: Quantity, magnitude: bool) -> Vec<Curve<'a>> {
    context.groups.iter().filter_map(|group| curve_of(context, group, Key::whole(quantity), magnitude)).collect()
}

/// The note on smoothing.
pub fn smoothing_note(context: &Context<'_>) -> String {
    match context.state.beta() {
        0.0 => "raw".to_owned(),
        beta if context.state.smoothing < SMOOTHING.len() => format!("EMA {beta}"),
        _ => String::new(),
    }
}

/// What one curve looks like, a column at a time.
pub struct Traced<'c, 'a> {
    /// The curve.
    pub curve: &'c Curve<'a>,
    /// The curve itself: its extents, or the mean over seeds.
    pub line: Vec<Column>,
    /// Faint behind it: extents of the raw values.
    pub raw: Vec<Vec<Column>>,
    /// Faint behind it: least and greatest of the seeds.
    pub band: Vec<Option<(f64, f64)>>,
}

/// The extents of `curve` over so many columns of `steps`.
pub fn trace<'c, 'a>(curve: &'c Curve<'a>, steps: &Steps, columns: usize) -> Traced<'c, 'a> {
    let places = steps.begins(columns);
    let begins = |ruler: &Ruler<'_>| places.iter().map(|at| ruler.first_from(*at)).collect::<Vec<u64>>();
    let (mut all, mut raw) = (Vec::new(), Vec::new());
    for strand in &curve.strands {
        let begins = begins(&strand.ruler);
        all.push(curve::columns(&strand.shown, &begins));
        raw.extend(strand.raw.as_ref().map(|series| curve::columns(series, &begins)));
    }
    if all.len() == 1 {
        return Traced { curve, line: all.pop().unwrap_or_default(), raw, band: Vec::new() };
    }
    let mut line = Vec::with_capacity(columns);
    let mut band = Vec::with_capacity(columns);
    for x in 0..columns {
        if all.iter().all(|extents| extents[x].count == 0) {
            line.push(Column::EMPTY);
            band.push(None);
            continue;
        }
        // A seed measured in another column counts with the value it had here.
        let held =
            |strand: &Strand<'_>| strand.ruler.read(&strand.shown, Some(places[x])).map(|(_, value)| Column::of(value));
        let here: Vec<Column> = curve
            .strands
            .iter()
            .zip(&all)
            .filter_map(|(strand, extents)| if extents[x].count > 0 { Some(extents[x]) } else { held(strand) })
            .collect();
        let finite = || here.iter().filter(|extent| extent.is_finite());
        let middles: Vec<f64> = finite().map(|extent| (extent.min + extent.max) / 2.0).collect();
        let mut mean = if middles.is_empty() { Column::EMPTY } else { Column::of(mean_deviation(&middles).0) };
        mean.non_finite = here.iter().any(|extent| extent.non_finite);
        line.push(mean);
        let low = finite().map(|extent| extent.min).fold(f64::INFINITY, f64::min);
        let high = finite().map(|extent| extent.max).fold(f64::NEG_INFINITY, f64::max);
        band.push((low <= high).then_some((low, high)));
    }
    Traced { curve, line, raw, band }
}
