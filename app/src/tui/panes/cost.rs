//! Where the time goes: each lane's milliseconds a step, shared among forward, guess, tangent, update and measure; operations a
//! second, of each lane's own time and of all together against what the machine's matrix products reach.
#![forbid(unsafe_code)]

use super::super::colour::Rgb;
use super::super::context::{Context, Target};
use super::super::format;
use super::super::ink::{put, put_right, row};
use super::super::theme::Tier;
use super::PaneId;
use crate::record::StageSeconds;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

/// Stages with their colours: cool for the network, warm for the guess, grey for measuring.
const STAGES: [(&str, &str, Rgb, Rgb, Color); 5] = [
    ("fwd", "f", Rgb(78, 121, 167), Rgb(58, 100, 150), Color::Blue),
    ("guess", "g", Rgb(230, 146, 60), Rgb(206, 116, 20), Color::Yellow),
    ("tan", "t", Rgb(118, 183, 178), Rgb(60, 140, 134), Color::Cyan),
    ("upd", "u", Rgb(176, 122, 161), Rgb(146, 86, 130), Color::Magenta),
    ("meas", "m", Rgb(112, 116, 128), Rgb(150, 154, 164), Color::DarkGray),
];

fn parts(seconds: &StageSeconds) -> [f64; 5] {
    [seconds.forward, seconds.guess, seconds.tangent, seconds.update, seconds.measure]
}

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let rate = rates(context, area.width);
    let inner = context.frame(PaneId::Cost, "Cost ms/step", &rate, area, buffer);
    let theme = context.theme;
    if context.groups.iter().all(|group| group.step() == 0) {
        return context.empty(context.nothing("no step has been taken yet"), inner, buffer);
    }
    let style = |stage: usize| {
        let (.., dark, light, named) = STAGES[stage];
        Style::new().fg(if theme.tier == Tier::Ansi16 {
            named
        } else {
            theme.map(if theme.dark { dark } else { light })
        })
    };
    let plain = theme.ascii || theme.tier == Tier::Mono;
    let mut x = 1;
    for (index, (name, letter, ..)) in STAGES.iter().enumerate() {
        let mark = if plain { letter } else { "■" };
        x = put(buffer, inner, x, 0, mark, style(index));
        x = put(buffer, inner, x, 0, &format!(" {name} "), theme.dim()) + u16::from(inner.width >= 44);
    }
    let rows = inner.height.saturating_sub(2).max(1);
    let each = (rows / (context.groups.len() as u16).max(1)).clamp(1, 3);
    let longest = context.groups.iter().map(|group| group.name.chars().count()).max().unwrap_or(0) as u16;
    // With two rows a lane the name stands above the bar, else before it where there is room.
    let above = u16::from(each > 1);
    let left = if above == 0 && inner.width >= 60 { (longest + 4).min(26) } else { 3 };
    let wide = inner.width >= 70;
    let numbers = if wide { 23 } else { 8 };
    let bar = Rect { x: inner.x + left.min(inner.width), width: inner.width.saturating_sub(left + numbers), ..inner };
    let means: Vec<[f64; 5]> = context
        .groups
        .iter()
        .map(|group| {
            let steps: u64 = group.lanes.iter().map(|lane| lane.step).sum();
            let mut sum = [0.0; 5];
            for lane in &group.lanes {
                for (total, part) in sum.iter_mut().zip(parts(&lane.seconds)) {
                    *total += part.max(0.0) / steps.max(1) as f64;
                }
            }
            sum
        })
        .collect();
    let most = means.iter().map(|parts| parts.iter().sum::<f64>()).filter(|sum| sum.is_finite()).fold(1e-12, f64::max);
    for (index, (group, parts)) in context.groups.iter().zip(&means).enumerate().take((rows / each).into()) {
        let y = 1 + index as u16 * each;
        context.hit(row(inner, y), Target::Lane(group.id()));
        let lane = context.lane_style(group);
        put(buffer, inner, 1, y, theme.marker(group.colour), lane);
        if left > 3 || above > 0 {
            let room = if above > 0 { inner.width.saturating_sub(4) } else { left - 4 };
            put(buffer, inner, 3, y, &format::fit(&group.name, room.into()), lane);
        }
        let mut done = 0.0;
        for (stage, part) in parts.iter().enumerate() {
            let from = (done / most * f64::from(bar.width)).round() as u16;
            done += if part.is_finite() { *part } else { 0.0 };
            let to = (done / most * f64::from(bar.width)).round() as u16;
            for x in from..to.min(bar.width) {
                put(buffer, bar, x, y + above, if plain { STAGES[stage].1 } else { "█" }, style(stage));
            }
        }
        put_right(buffer, inner, inner.width.saturating_sub(1), y + above, &format::value(done * 1000.0), theme.text());
        if wide {
            let training: f64 = parts[..4].iter().sum();
            let flop = group.first().info.flop as f64 / training.max(1e-12);
            let text = if training > 0.0 { format::with_unit(flop, "FLOP/s") } else { String::new() };
            put_right(buffer, inner, inner.width.saturating_sub(9), y + above, &text, theme.dim());
        }
    }
    let held: usize = context.snapshot.lanes.iter().map(|lane| lane.history.bytes()).sum();
    let total: [f64; 5] = context.snapshot.lanes.iter().fold([0.0; 5], |mut sum, lane| {
        sum.iter_mut().zip(parts(&lane.seconds)).for_each(|(sum, part)| *sum += part);
        sum
    });
    let all: f64 = total.iter().sum();
    let y = 1 + (context.groups.len() as u16 * each).min(rows);
    if y < inner.height {
        let text = format!("measuring {} · curves {}", format::percent(total[4] / all.max(1e-12)), format::bytes(held));
        put(buffer, inner, 1, y, &text, theme.faint());
    }
}

/// Steps a second; with room also operations a second of all lanes, and what share that is of the products' peak.
fn rates(context: &Context<'_>, width: u16) -> String {
    let snapshot = context.snapshot;
    let steps = format!("{} steps/s", format::si(snapshot.steps_per_second));
    let round: u64 = snapshot.lanes.iter().filter(|lane| lane.ended.is_none()).map(|lane| lane.info.flop).sum();
    let flop = round as f64 * snapshot.steps_per_second;
    if flop <= 0.0 || width < 48 {
        return steps;
    }
    let share =
        if snapshot.peak > 0.0 { format!(" {:.0}% of GEMM", 100.0 * flop / snapshot.peak) } else { String::new() };
    format!("{}{share} · {steps}", format::with_unit(flop, "FLOP/s"))
}
