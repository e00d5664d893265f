//! Effective rank exp(H(σ/Σσ)) of each layer's weight over steps, of the selected lane.
#![forbid(unsafe_code)]

use super::super::colour::{blend, cividis};
use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::curves::{Curve, Strand};
use super::plot::{self, Plot};
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let mut curves = Vec::new();
    if let Some(group) = context.selected() {
        let sites = &group.first().info.sites;
        for (layer, site) in sites.iter().enumerate() {
            let key = Key::site(Quantity::EffectiveRank, layer);
            let strands: Vec<Strand<'_>> = group
                .lanes
                .iter()
                .map(|lane| (context.ruler(lane), lane.history.series(key)))
                .filter(|(ruler, _)| ruler.moves())
                .filter_map(|(ruler, series)| Some(Strand { ruler, shown: series?, raw: None }))
                .collect();
            if strands.is_empty() {
                continue;
            }
            let place = layer as f64 / (sites.len() - 1).max(1) as f64;
            let colour = if context.theme.dark { cividis(0.42 + 0.58 * place) } else { cividis(0.7 * place) };
            curves.push(Curve {
                label: site.clone(),
                marker: char::from_digit(layer as u32 + 1, 36).unwrap_or('+').to_string(),
                tag: Some(format::fit(site, 7)),
                colour: context.theme.map(colour),
                faint: context.theme.map(blend(context.theme.ground(), colour, 0.3)),
                dashed: false,
                front: context.state.layer == Some(layer as u16),
                strands,
                draw_raw: false,
                magnitude: false,
            });
        }
    }
    let chart = Plot {
        pane: PaneId::Spectrum,
        title: "Effective rank".to_owned(),
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
