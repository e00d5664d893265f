//! The images of the selected lane's last batch with their labels and, where the lane's last forward pass says them, predictions.
//!
//! Two pixels a cell as half blocks, in colour where the terminal has it, else four shades of one pixel's mean. Images that the pane
//! cannot show whole are halved until some fit.
#![forbid(unsafe_code)]

use super::super::colour::Rgb;
use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, width};
use super::PaneId;
use crate::session::protocol::BatchView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Images that are to fit before their full size is used.
const ENOUGH: usize = 4;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let batch = context.snapshot.batch.as_deref();
    let notes = batch.map(|batch| notes(context, batch, area.width.saturating_sub(12))).unwrap_or_default();
    let inner = context.frame(PaneId::Data, "Data", &notes, area, buffer);
    let Some(batch) = batch.filter(|batch| batch.count() > 0) else {
        return context.empty(context.nothing("the trainer has not sent the batch yet"), inner, buffer);
    };
    let cells = |halved: usize| {
        let (across, down) = (batch.width.div_ceil(1 << halved), batch.height.div_ceil(1 << halved));
        (across as u16, down.div_ceil(2) as u16)
    };
    let fits = |halved: usize| {
        let (across, down) = cells(halved);
        let (columns, rows) = ((inner.width + 1) / (across + 1), (inner.height + 1) / (down + 2));
        (usize::from(columns), usize::from(rows))
    };
    let enough = |halved: &usize| fits(*halved).0 * fits(*halved).1 >= ENOUGH.min(batch.count());
    let Some(halved) = (0..4).find(enough).or((0..4).rev().find(|halved| fits(*halved).0 * fits(*halved).1 > 0)) else {
        return context.empty("no room for an image", inner, buffer);
    };
    let ((across, down), (columns, rows)) = (cells(halved), fits(halved));
    for index in 0..batch.count().min(columns * rows) {
        let place = Rect {
            x: inner.x + (index % columns) as u16 * (across + 1),
            y: inner.y + (index / columns) as u16 * (down + 2),
            width: across,
            height: down,
        };
        image(context, batch, index, halved, place, buffer);
        caption(context, batch, index, Rect { y: place.bottom(), height: 1, ..place }, buffer);
    }
}

/// Lane, step, and how many the lane takes for what they are, as far as there is room.
fn notes(context: &Context<'_>, batch: &BatchView, room: u16) -> String {
    let step = format!("step {} · batch {}", format::grouped(batch.step), batch.count());
    let known: Vec<bool> = batch.predictions.iter().zip(&batch.labels).map(|(said, label)| said == label).collect();
    if known.is_empty() {
        return step;
    }
    let right = known.iter().filter(|right| **right).count();
    let lane = context.groups.iter().find(|group| group.lanes.iter().any(|lane| lane.info.lane == batch.lane));
    let lane = lane.map_or(String::new(), |group| format!("{} · ", group.name));
    let fitting =
        [format!("{lane}{step} · {right} right"), format!("{step} · {right} right"), format!("{right} right")];
    fitting.into_iter().find(|text| width(text) <= room).unwrap_or_default()
}

/// The mean colour of the pixels of a square block.
fn pixel(batch: &BatchView, index: usize, x: usize, y: usize, halved: usize) -> Rgb {
    let size = 1usize << halved;
    let mut sums = [0u32; 3];
    let mut count = 0;
    for row in y * size..((y + 1) * size).min(batch.height) {
        for column in x * size..((x + 1) * size).min(batch.width) {
            let [r, g, b] = batch.pixel(index, row, column);
            for (sum, part) in sums.iter_mut().zip([r, g, b]) {
                *sum += u32::from(part);
            }
            count += 1;
        }
    }
    let [r, g, b] = sums.map(|sum| (sum / count.max(1)) as u8);
    Rgb(r, g, b)
}

fn image(context: &Context<'_>, batch: &BatchView, index: usize, halved: usize, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    for y in 0..area.height {
        for x in 0..area.width {
            let [upper, lower] = [0, 1].map(|half| pixel(batch, index, x.into(), usize::from(y) * 2 + half, halved));
            if theme.has_maps() {
                put(buffer, area, x, y, "▀", Style::new().fg(theme.map(upper)).bg(theme.map(lower)));
            } else {
                let light = |Rgb(r, g, b): Rgb| (u32::from(r) + u32::from(g) + u32::from(b)) / 3;
                put(buffer, area, x, y, shade((light(upper) + light(lower)) / 2, theme.ascii), theme.text());
            }
        }
    }
}

/// A glyph for a brightness of 0 to 255.
fn shade(light: u32, ascii: bool) -> &'static str {
    let level = (light * 5 / 256) as usize;
    if ascii { [" ", ".", "+", "*", "#"][level] } else { [" ", "░", "▒", "▓", "█"][level] }
}

/// The label, and what the lane took it for where that is another class.
fn caption(context: &Context<'_>, batch: &BatchView, index: usize, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let label = batch.labels[index];
    let x = put(buffer, area, 0, 0, &label.to_string(), theme.text());
    match batch.predictions.get(index) {
        Some(said) if *said == label => {
            put(buffer, area, x, 0, theme.glyph(" ✓", " ="), theme.good());
        }
        Some(said) => {
            let text = format!(" {} {said}", theme.glyph("✕", "!"));
            if x + width(&text) <= area.width {
                put(buffer, area, x, 0, &text, theme.bad());
            }
        }
        None => {}
    }
}
