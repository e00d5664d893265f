//! Bias and variance of each lane's estimate at frozen points: the relative bias² (‖m − g‖² − s²/M)/‖g‖², around 0 for an unbiased
//! guess, and the relative variance s²/‖g‖². Of the whole model, or of the layer pointed at.
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
    let (key, of) = match site {
        Some((layer, site)) => (Key::site(quantity, layer.into()), site.as_str()),
        None => (Key::whole(quantity), "whole"),
    };
    let fit = match site {
        Some((layer, _)) => Key::site(Quantity::ScalarFit, layer.into()),
        None => Key::whole(Quantity::ScalarFit),
    };
    let fit = context.selected().and_then(|group| context.value(group, fit));
    let notes = fit.map(|(fit, _)| format!("mean {} {}·g", context.theme.glyph("≈", "~"), format::value(fit)));
    // Few points, each of many guesses: nothing is smoothed.
    let shown: Vec<Curve<'_>> =
        context.groups.iter().filter_map(|group| curves::plain_of(context, group, key)).collect();
    let chart = Plot {
        pane,
        title: format!("{name} over ‖g‖² · {of}"),
        notes: notes.into_iter().filter(|_| pane == PaneId::Bias).collect(),
        curves: shown,
        levels,
        bounds: (f64::NEG_INFINITY, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add bias to the workspace's measurements",
    };
    plot::render_compared(context, chart, area, buffer);
}
