//! The spectrum of the selected lane's weights: effective rank exp(H(σ/Σσ)) of each layer over the run, with the stable rank
//! ‖W‖_F²/σ₁² of the layer pointed at; beside it, where there is room, that layer's singular values, now and at first.
#![forbid(unsafe_code)]

use super::super::chart::curve::{self, Pen};
use super::super::chart::{Canvas, Scale};
use super::super::colour::blend;
use super::super::context::{Context, MARGIN};
use super::super::format;
use super::super::ink::{put, put_right};
use super::super::lanes::Group;
use super::PaneId;
use super::curves::{Curve, Strand};
use super::plot::{self, Plot};
use crate::record::{Key, Quantity};
use crate::session::history::Column;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

/// Least width for both parts side by side.
const BOTH: u16 = 84;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let layer = context.selected().and_then(|group| shown_layer(context, group));
    let beside = layer.filter(|_| area.width >= BOTH && area.height >= 6);
    let right = if beside.is_some() { (area.width * 2 / 5).min(70) } else { 0 };
    ranks(context, Rect { width: area.width - right, ..area }, buffer);
    if let (Some(layer), Some(group)) = (beside, context.selected()) {
        values(context, group, layer, Rect { x: area.right() - right, width: right, ..area }, buffer);
    }
}

/// The layer pointed at, else the first whose singular values are known.
fn shown_layer(context: &Context<'_>, group: &Group<'_>) -> Option<u16> {
    let lane = group.first();
    let known = |layer: &u16| lane.history.first_spectrum(*layer).is_some();
    context.state.layer.filter(known).or_else(|| (0..lane.info.sites.len() as u16).find(known))
}

/// A layer's colour: the later, the brighter.
pub fn layer_colour(context: &Context<'_>, layer: usize, layers: usize) -> (Color, Color) {
    let place = layer as f64 / (layers.saturating_sub(1)).max(1) as f64;
    let colour = context.theme.magnitude(if context.theme.dark { 0.5 + 0.5 * place } else { 0.7 * place });
    (context.theme.map(colour), context.theme.map(blend(context.theme.ground(), colour, 0.3)))
}

/// The curve of `quantity` of one layer of `group`; dashed ones have neither marker nor value in the margin.
pub fn layer_curve<'a>(
    context: &Context<'_>,
    group: &Group<'a>,
    quantity: Quantity,
    layer: usize,
    dashed: bool,
) -> Option<Curve<'a>> {
    let sites = &group.first().info.sites;
    let key = Key::site(quantity, layer);
    let strands: Vec<Strand<'a>> = group
        .lanes
        .iter()
        .map(|&lane| (super::super::progress::Ruler::new(context.state.unit, lane), lane.history.series(key)))
        .filter(|(ruler, _)| ruler.moves())
        .filter_map(|(ruler, series)| Some(Strand { ruler, shown: series?, raw: None }))
        .collect();
    let (colour, faint) = layer_colour(context, layer, sites.len());
    (!strands.is_empty()).then(|| Curve {
        label: sites[layer].clone(),
        marker: char::from_digit(layer as u32 + 1, 36).unwrap_or('+').to_string(),
        tag: Some(format::layer(&sites[layer], 7)),
        colour,
        faint,
        dashed,
        front: context.state.layer == Some(layer as u16),
        strands,
        draw_raw: false,
        magnitude: false,
    })
}

fn ranks(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let mut curves = Vec::new();
    if let Some(group) = context.selected() {
        for layer in 0..group.first().info.sites.len() {
            curves.extend(layer_curve(context, group, Quantity::EffectiveRank, layer, false));
        }
        let pointed = context.state.layer.map(usize::from);
        curves.extend(pointed.and_then(|layer| layer_curve(context, group, Quantity::StableRank, layer, true)));
    }
    let stable = curves.iter().any(|curve| curve.dashed);
    let title = if stable {
        context.theme.glyph("Rank effective ─ stable ┄", "Rank effective -- stable - -")
    } else {
        "Effective rank"
    };
    let chart = Plot {
        pane: PaneId::Spectrum,
        title: title.to_owned(),
        notes: context.selected().map(|group| group.name.clone()).into_iter().collect(),
        curves,
        levels: Vec::new(),
        bounds: (0.0, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add spectrum to the workspace's measurements",
    };
    plot::render(context, &chart, area, buffer);
}

/// σ over its number, from the largest: now (or at the crosshair) in front, at first faint.
fn values(context: &Context<'_>, group: &Group<'_>, layer: u16, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let lane = group.first();
    let at = context.state.crosshair.and_then(|at| context.ruler(lane).step(at));
    let (first, now) = (lane.history.first_spectrum(layer), lane.history.spectrum(layer, at));
    let site = &lane.info.sites[usize::from(layer)];
    let steps = |moment: &Option<crate::session::history::Moment>| {
        moment.as_ref().map_or("–".to_owned(), |(step, _)| format::grouped(*step))
    };
    let notes = format!("step {} ─ {} ┄", steps(&now), steps(&first));
    let title = format!("σ of {site}");
    let inner = context.frame(PaneId::Spectrum, &title, &notes, area, buffer);
    let (Some((_, now)), Some((_, first))) = (now, first) else {
        return context.empty("not measured yet", inner, buffer);
    };
    let canvas_area = Rect {
        x: inner.x + MARGIN.min(inner.width),
        width: inner.width.saturating_sub(MARGIN + 1),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    let count = now.len().max(first.len());
    if canvas_area.width < 4 || canvas_area.height < 1 || count == 0 {
        return;
    }
    let largest = now.iter().chain(first.iter()).copied().fold(0.0, f64::max);
    let log = context.state.is_log(PaneId::Spectrum);
    let scale = if log { Scale::log(largest * 1e-4, largest * 1.1) } else { Scale::linear(0.0, largest * 1.05) };
    for (tick, label) in scale.labels(usize::from(canvas_area.height / 3).max(1)) {
        let y = (curve::row(&scale, tick, usize::from(canvas_area.height) * 4) / 4) as u16;
        put_right(buffer, inner, MARGIN - 1, y, &label, theme.dim());
        for x in 0..canvas_area.width {
            if theme.has_maps() {
                put(buffer, canvas_area, x, y, "┈", Style::new().fg(theme.grid()));
            }
        }
    }
    let mut canvas = Canvas::new(canvas_area.width, canvas_area.height);
    let (colour, faint) = layer_colour(context, layer.into(), lane.info.sites.len());
    let columns = canvas.columns();
    for (values, pen) in
        [(&first, Pen { colour: faint, rank: 1, dash: Some(2) }), (&now, Pen { colour, rank: 2, dash: None })]
    {
        let mut extents = vec![Column::EMPTY; columns];
        for (index, value) in values.iter().enumerate() {
            let x = (index * columns.saturating_sub(1)).checked_div(count.saturating_sub(1)).unwrap_or(0);
            extents[x] = extents[x].then(Column::of(*value));
        }
        curve::draw(&mut canvas, &extents, &scale, pen);
    }
    canvas.draw(canvas_area, buffer, theme.ascii);
    put(buffer, inner, MARGIN, canvas_area.height, "1", theme.faint());
    put_right(buffer, inner, canvas_area.right() - inner.x, canvas_area.height, &count.to_string(), theme.faint());
}
