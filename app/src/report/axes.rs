//! How the end of a run depends on what the grid sweeps: a picture for each numeric axis.

use super::figures::{CURVES, Drawn, OF_A_KIND, chart, curve, file_name};
use super::groups::{Group, Report, one};
use crate::picture::Level;
use crate::record::summary::{Figure, Mean};
use crate::workspace::{architecture, setting, widths};
use std::collections::BTreeMap;

/// Results that are shown over an axis.
const RESULTS: [(Figure, &str, &str, bool); 4] = [
    (Figure::TestAccuracy, "test-accuracy", "Test accuracy at the end", false),
    (Figure::TrainLoss, "loss", "Training loss at the end", true),
    (Figure::MeanCosine, "cosine", "Mean cos(ĝ, g) over the run", false),
    (Figure::GeneralisationGap, "gap", "Generalisation gap at the end", false),
];

/// Where a group stands along an axis, and what remains of its name.
struct Place {
    value: f64,
    rest: String,
    /// The same without its problem.
    short: String,
    /// What its problem has beside the axis: `mnist · depth 3`.
    problem: String,
}

/// Short word for a value of the problem: `cifar-10`, `128×3`, `conv-16-32`, `batch 64`.
pub(super) fn problem_word(path: &str, value: &str) -> String {
    match path {
        "problem.data.name" => value.trim_matches('"').to_owned(),
        "problem.model" => architecture(value),
        "problem.model.hidden" => widths(value),
        _ => format!("{} {}", path.rsplit('.').next().unwrap_or(path), value.trim_matches('"')),
    }
}

/// A lane's name without what it says of the axis `path`.
pub(super) fn without(name: &str, path: &str, value: &str) -> String {
    let key = setting(path);
    let bare = match path {
        "problem.model" => architecture(value),
        "problem.model.hidden" => widths(value),
        _ => value.trim_matches('"').to_owned(),
    };
    let says = |word: &str| {
        word == bare
            || word.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('='))
            || key == "guesses" && word.starts_with("k=")
    };
    // The first word is what it is called.
    let mut words = name.split(' ');
    let first = words.next().unwrap_or_default();
    std::iter::once(first).chain(words.filter(|word| !says(word))).collect::<Vec<_>>().join(" ")
}

/// The axes by which the values of `path` are numbers: itself, or width and depth of hidden layers.
fn numbers(path: &str, value: &str) -> Vec<(String, f64, String)> {
    let key = setting(path);
    if path == "problem.model.hidden" {
        let parts: Vec<f64> = value
            .trim_matches(['[', ']'])
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .filter_map(|part| part.parse().ok())
            .collect();
        let (Some(&width), depth) = (parts.first(), parts.len()) else { return Vec::new() };
        if parts.iter().any(|other| *other != width) {
            return Vec::new();
        }
        return vec![
            ("width".to_owned(), width, format!("depth {depth}")),
            ("depth".to_owned(), depth as f64, format!("width {width}")),
        ];
    }
    value.parse().map(|number| vec![(key, number, String::new())]).unwrap_or_default()
}

/// The pictures.
pub(super) fn figures(report: &Report) -> Vec<Drawn> {
    let mut axes: Vec<String> = Vec::new();
    for group in &report.groups {
        for (path, value) in &group.first().info.axes {
            axes.extend(numbers(path, value).into_iter().map(|(axis, ..)| axis));
        }
    }
    let mut found = Vec::new();
    for axis in one(axes) {
        let places: Vec<(&Group, Option<Place>)> =
            report.groups.iter().map(|group| (group, place(group, &axis))).collect();
        let mut values: Vec<f64> = places.iter().filter_map(|(_, place)| Some(place.as_ref()?.value)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        if values.len() < 2 {
            continue;
        }
        let lines = one(places.iter().filter_map(|(_, place)| Some(place.as_ref()?.rest.clone())).collect());
        let problems = one(places.iter().filter_map(|(_, place)| Some(place.as_ref()?.problem.clone())).collect());
        // Where one picture would hold more lines than can be told apart, each problem has its own.
        let parts: Vec<Option<&str>> = match lines.len() > CURVES {
            true => problems.iter().map(|problem| Some(problem.as_str())).take(OF_A_KIND).collect(),
            false => vec![None],
        };
        for (figure, name, title, log) in RESULTS {
            for part in &parts {
                let own = |place: &&(&Group, Option<Place>)| {
                    part.is_none_or(|part| place.1.as_ref().is_none_or(|place| place.problem == part))
                };
                let places: Vec<&(&Group, Option<Place>)> = places.iter().filter(own).collect();
                found.extend(picture(&axis, &values, &places, *part, (figure, name, title, log)));
            }
        }
    }
    found
}

/// Where `group` stands along `axis`, if it does.
fn place(group: &Group, axis: &str) -> Option<Place> {
    let axes = &group.first().info.axes;
    let (path, value, (_, number, more)) = axes
        .iter()
        .flat_map(|(path, value)| numbers(path, value).into_iter().map(move |found| (path, value, found)))
        .find(|(.., (name, ..))| name == axis)?;
    let mut rest = without(&group.name, path, value);
    let others = axes.iter().filter(|(other, _)| *other != path && other.starts_with("problem."));
    let (mut short, mut problem) = (rest.clone(), Vec::new());
    for (other, value) in others {
        short = without(&short, other, value);
        problem.push(problem_word(other, value));
    }
    if !more.is_empty() {
        rest = format!("{rest} {more}");
        problem.push(more);
    }
    Some(Place { value: number, rest, short, problem: problem.join(" · ") })
}

fn picture(
    axis: &str,
    values: &[f64],
    places: &[&(&Group, Option<Place>)],
    part: Option<&str>,
    (figure, name, title, log): (Figure, &str, &str, bool),
) -> Option<Drawn> {
    let mut lines: BTreeMap<usize, (String, bool, Vec<(f64, Mean)>)> = BTreeMap::new();
    let mut names: Vec<&str> = Vec::new();
    let mut levels = Vec::new();
    for (group, place) in places {
        let figures = group.lanes.iter().filter_map(|lane| lane.summary.figures.get(&figure).map(|number| number.0));
        let Some(mean) = Mean::of(&figures.collect::<Vec<_>>()) else { continue };
        match place {
            Some(Place { value, rest, short, .. }) => {
                let rest = if part.is_some() { short } else { rest };
                let index = names.iter().position(|other| other == rest).unwrap_or_else(|| {
                    names.push(rest);
                    names.len() - 1
                });
                let line = lines.entry(index).or_insert_with(|| (rest.clone(), group.is_reference(), Vec::new()));
                line.2.push((*value, mean));
            }
            None if levels.len() < 3 && !(figure == Figure::MeanCosine && group.is_reference()) => {
                levels.push(Level { value: mean.mean.0, label: group.name.clone() });
            }
            None => {}
        }
    }
    lines.retain(|_, (_, reference, points)| points.len() > 1 && !(figure == Figure::MeanCosine && *reference));
    if lines.len() > CURVES {
        return None;
    }
    let mut number = 0;
    let curves = lines.into_values().map(|(name, reference, mut points)| {
        let index = (!reference).then_some(number);
        number += usize::from(!reference);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut curve = curve(name, index);
        curve.dots = true;
        for (x, mean) in points {
            curve.points.push((x, mean.mean.0));
            if let Some(error) = mean.error {
                curve.band.push((x, mean.mean.0 - error.0, mean.mean.0 + error.0));
            }
        }
        curve
    });
    let wide = values[0] > 0.0 && values[values.len() - 1] / values[0] >= 8.0;
    let part = part.filter(|part| !part.is_empty());
    let heading = format!("{title} by {axis}{}", part.map_or_else(String::new, |part| format!(" · {part}")));
    let mut drawn = chart("", &heading, (axis, wide), (title, log), curves.collect(), levels)?;
    drawn.name = file_name(&format!("{name}-by-{axis} {}", part.unwrap_or_default()));
    drawn.caption = format!("{title} over `{axis}`, as means over seeds; bars are ± their standard error.");
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_what_its_axis_says() {
        assert_eq!(without("a k=4 lr=0.1 example", "guesses", "4"), "a lr=0.1 example");
        assert_eq!(without("a k=4 lr=0.1 example", "lr", "0.1"), "a k=4 example");
        assert_eq!(without("a example", "scope", "example"), "a");
        assert_eq!(without("a 128×3 r=2", "problem.model.hidden", "[128, 128,128]"), "a r=2");
        assert_eq!(without("a mnist", "problem.data.name", "\"mnist\""), "a");
        assert_eq!(without("a conv-4 r=2", "problem.model", "conv(layers: [(channels: 4)])"), "a r=2");
        assert_eq!(without("rank=3", "params.rank", "3"), "rank=3");
    }

    #[test]
    fn hidden_layers_of_one_width_have_width_and_depth() {
        let found: Vec<(String, f64)> =
            numbers("problem.model.hidden", "[64, 64]").into_iter().map(|(axis, value, _)| (axis, value)).collect();
        assert_eq!(found, [("width".to_owned(), 64.0), ("depth".to_owned(), 2.0)]);
        assert!(numbers("problem.model.hidden", "[64, 32]").is_empty());
        assert_eq!(numbers("params.rank", "8"), [("rank".to_owned(), 8.0, String::new())]);
        assert!(numbers("scope", "example").is_empty());
    }
}
