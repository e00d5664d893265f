//! Bias and variance of each lane's estimate at frozen points: the relative bias² (‖m − g‖² − s²/M)/‖g‖², around 0 for an unbiased
//! guess, and the relative variance s²/‖g‖². Of the whole model, or of the layer pointed at. Above the chart what the selected lane has,
//! with the standard error over the guesses of the probe.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::curves::{self, Curve};
use super::plot::{self, Level, Plot};
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn bias(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let unbiased = Level { value: 0.0, label: "unbiased".to_owned() };
    chart(context, PaneId::Bias, "Bias²", Quantity::BiasSquared, vec![unbiased], area, buffer);
}

pub fn variance(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    chart(context, PaneId::Variance, "Variance", Quantity::Variance, Vec::new(), area, buffer);
}

fn chart(
    context: &Context<'_>,
    pane: PaneId,
    name: &str,
    quantity: Quantity,
    levels: Vec<Level>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let site = context.selected().zip(context.state.layer);
    let site =
        site.and_then(|(group, layer)| group.first().info.sites.get(usize::from(layer)).map(|site| (layer, site)));
    let key = |quantity: Quantity| match site {
        Some((layer, _)) => Key::site(quantity, layer.into()),
        None => Key::whole(quantity),
    };
    let of = site.map_or("whole", |(_, site)| site.as_str());
    // Value and standard error of the selected lane; files of earlier versions hold no error.
    let found = |quantity: Quantity| -> Option<(String, Option<String>)> {
        let group = context.selected()?;
        let (value, _) = context.value(group, key(quantity))?;
        let error = quantity.error().and_then(|error| context.error(group, key(error)));
        Some((format::value(value), error.map(format::value)))
    };
    let plus_minus = context.theme.glyph("±", "+-");
    let mut notes = Vec::new();
    if let Some((value, Some(error))) = found(quantity) {
        notes.push(format!("{value} {plus_minus} {error}"));
    }
    if let Some((fit, error)) = found(Quantity::ScalarFit).filter(|_| pane == PaneId::Bias) {
        let fit = error.map_or_else(|| fit.clone(), |error| format!("({fit} {plus_minus} {error})"));
        notes.push(format!("mean {} {fit}·g", context.theme.glyph("≈", "~")));
    }
    // Few points, each of many guesses: nothing is smoothed.
    let shown: Vec<Curve<'_>> =
        context.groups.iter().filter_map(|group| curves::plain_of(context, group, key(quantity))).collect();
    let chart = Plot {
        pane,
        title: format!("{name} over ‖g‖² · {of}"),
        notes,
        curves: shown,
        levels,
        bounds: (f64::NEG_INFINITY, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add bias to the workspace's measurements",
    };
    plot::render_compared(context, chart, area, buffer);
}
