//! The pictures of a report: one for each quantity that was measured over time, one for each problem where the grid has several.

use super::groups::{Group, Report, one};
use super::series::over_seeds;
use super::shown::{LAYERED, Layered, SHOWN, Shown};
use super::{axes, heat, palette};
use crate::picture::{Axis, Body, Curve, Figure, Level, Marker};
use crate::record::{Key, Quantity};
use std::collections::BTreeMap;

/// Curves of one picture at most; more cannot be told apart.
pub(super) const CURVES: usize = 12;
/// Pictures of one kind at most.
pub(super) const OF_A_KIND: usize = 12;
/// Decades that a logarithmic axis shows at most.
const DECADES: f64 = 1e6;

/// A picture of a report.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Stem of its file.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub caption: String,
    /// The picture.
    pub figure: Figure,
}

impl Report {
    /// All pictures that the runs have something for.
    pub fn figures(&self) -> Vec<Drawn> {
        let mut found = axes::figures(self);
        let facets = self.facets();
        for shown in &SHOWN {
            if self.measured(shown.quantity) {
                found.extend(facets.iter().take(OF_A_KIND).filter_map(|facet| self.curves(shown, facet)));
            }
        }
        found.extend(heat::figures(self));
        for layered in &LAYERED {
            found.extend(self.by_layer(layered, &facets));
        }
        found.extend(self.spectra(&facets));
        for drawn in &mut found {
            drawn.figure.identity = self.identity();
        }
        found
    }

    /// What pictures say at their foot.
    fn identity(&self) -> Vec<String> {
        let runs: Vec<String> = self.runs.iter().map(|run| format!("{} · {}", run.label(), run.problem())).collect();
        let mut seeds: Vec<u64> =
            self.groups.iter().flat_map(|group| &group.lanes).map(|lane| lane.info.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let many = if seeds.len() == 1 { "seed" } else { "seeds" };
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let more = if runs.len() > 1 { format!(" and {} more runs", runs.len() - 1) } else { String::new() };
        vec![
            format!("{}{more}", runs[0]),
            format!("{many} {} · guesswork {} · {}", seeds.join(", "), self.runs[0].header.version, self.command),
        ]
    }

    /// Groups that stand in one picture together: those of one problem.
    fn facets(&self) -> Vec<Facet<'_>> {
        let values = |group: &Group| -> Vec<(String, String)> {
            let axes = group.first().info.axes.iter().filter(|(path, _)| path.starts_with("problem."));
            axes.map(|(path, value)| (path.clone(), value.clone())).collect()
        };
        // By the values themselves, however they are written: two networks may have one word.
        let of = |group: &Group| -> Vec<String> {
            let bare = |text: &str| text.trim_matches('"').split_whitespace().collect::<String>();
            values(group).iter().map(|(path, value)| format!("{path}={}", bare(value))).collect()
        };
        let facet = |problem: Vec<String>| {
            let groups: Vec<&Group> = self.groups.iter().filter(|group| of(group) == problem).collect();
            let values = groups.first().map(|group| values(group)).unwrap_or_default();
            let words: Vec<String> = values.iter().map(|(path, value)| axes::problem_word(path, value)).collect();
            Facet { name: words.join(" · "), groups }
        };
        one(self.groups.iter().map(of).collect()).into_iter().map(facet).collect()
    }

    fn curves(&self, shown: &Shown, facet: &Facet<'_>) -> Option<Drawn> {
        let key = Key::whole(shown.quantity);
        let measured: Vec<&Group> = facet.groups.iter().copied().filter(|group| group.measured(key) > 1).collect();
        let (groups, left_out) = fewer(measured);
        let mut levels = Vec::new();
        if shown.quantity == Quantity::Cosine {
            let mut floors: Vec<usize> = groups.iter().map(|group| group.first().info.parameters).collect();
            floors.sort_unstable();
            floors.dedup();
            levels.extend(floors.iter().take(3).map(|&parameters| floor(parameters)));
        }
        // Backpropagation has cos 1, norm 1, effectiveness 1: a line that says nothing but squeezes the others.
        let exact = matches!(
            shown.quantity,
            Quantity::Cosine | Quantity::NormRatio | Quantity::OneStep | Quantity::BiasSquared | Quantity::Variance
        );
        let groups: Vec<&Group> = groups.into_iter().filter(|group| !(exact && group.is_reference())).collect();
        let curves = self.lines(&groups, key, facet);
        let title = facet.title(shown.title);
        let mut drawn = self.chart(shown.name, &title, shown.label, shown.log, curves, levels)?;
        drawn.name = facet.file(shown.name);
        drawn.caption = format!("{}{}", shown.caption, note(&groups, left_out));
        Some(drawn)
    }

    /// A curve of `key` for each group, with the range of its seeds.
    fn lines(&self, groups: &[&Group], key: Key, facet: &Facet<'_>) -> Vec<Curve> {
        let mut curves = Vec::new();
        for group in groups {
            let index = facet.colour(group);
            let series: Vec<_> = group.lanes.iter().filter_map(|lane| lane.series.get(&key)).collect();
            let info = &group.first().info;
            let mut curve = curve(facet.short(group), index);
            for (point, low, high) in over_seeds(&series) {
                let Some(x) = self.unit.place(info, point.step, point.seconds) else { continue };
                curve.points.push((x, point.value));
                if series.len() > 1 {
                    curve.band.push((x, low, high));
                }
            }
            curves.push(curve);
        }
        curves
    }

    /// A chart of curves over the report's unit; nothing where there is nothing to see.
    fn chart(
        &self,
        name: &str,
        title: &str,
        label: &str,
        log: bool,
        curves: Vec<Curve>,
        levels: Vec<Level>,
    ) -> Option<Drawn> {
        chart(name, title, (self.unit.label(), false), (label, log), curves, levels)
    }

    /// A quantity of each layer over time.
    fn by_layer(&self, layered: &Layered, facets: &[Facet<'_>]) -> Vec<Drawn> {
        let Layered { quantity, beside, name, title, caption } = *layered;
        let mut found = Vec::new();
        for facet in facets {
            for (site, layer) in facet.sites() {
                let key = Key::site(quantity, site);
                let measured = facet.groups.iter().copied().filter(|group| group.measured(key) > 1).collect();
                let (groups, left_out) = fewer(measured);
                let mut curves = self.lines(&groups, key, facet);
                if let Some(beside) = beside {
                    let dashed = self.lines(&groups, Key::site(beside, site), facet).into_iter();
                    curves.extend(dashed.map(|curve| Curve { name: String::new(), dashed: true, ..curve }));
                }
                let title = facet.title(&format!("{title} of {layer}"));
                let Some(mut drawn) = self.chart(name, &title, &title, false, curves, Vec::new()) else { continue };
                drawn.name = facet.file(&format!("{name}-{}", file_name(&layer)));
                drawn.caption = format!("{caption}{}", note(&groups, left_out));
                found.push(drawn);
            }
        }
        found.truncate(OF_A_KIND);
        found
    }

    /// Singular values at the first and the last measurement.
    fn spectra(&self, facets: &[Facet<'_>]) -> Vec<Drawn> {
        let mut found = Vec::new();
        for facet in facets {
            for (site, layer) in facet.sites() {
                let measured = |group: &&Group| group.first().spectra.contains_key(&(site as u16));
                let (groups, left_out) = fewer(facet.groups.iter().copied().filter(measured).collect());
                let mut curves = Vec::new();
                for group in &groups {
                    let [first, last] = &group.first().spectra[&(site as u16)];
                    let line = |values: &[f64]| -> Vec<(f64, f64)> {
                        let whole = values.first().copied().unwrap_or(1.0);
                        values.iter().enumerate().map(|(place, value)| (place as f64 + 1.0, value / whole)).collect()
                    };
                    let base = curve(facet.short(group), facet.colour(group));
                    if first.0 < last.0 {
                        curves.push(Curve {
                            name: String::new(),
                            dashed: true,
                            points: line(&first.1),
                            colour: base.colour.blend(crate::picture::Colour(255, 255, 255), 0.35),
                            ..base.clone()
                        });
                    }
                    curves.push(Curve { points: line(&last.1), ..base });
                }
                // Dashed lines behind the others.
                curves.sort_by_key(|curve| !curve.dashed);
                let title = facet.title(&format!("Singular values of {layer}"));
                let (x, y) = (("number", true), ("σ/σ₁", true));
                let Some(mut drawn) = chart("spectrum", &title, x, y, curves, Vec::new()) else { continue };
                drawn.name = facet.file(&format!("spectrum-{}", file_name(&layer)));
                let seed = groups.first().map_or(0, |group| group.first().info.seed);
                drawn.caption = format!(
                    "Singular values over the largest, of seed {seed}: dashed at the first measurement, drawn out at the last.{}",
                    note(&[], left_out)
                );
                found.push(drawn);
            }
        }
        found.truncate(OF_A_KIND);
        found
    }
}

/// Groups of one problem.
pub(super) struct Facet<'a> {
    /// What the problem has of its own; empty where the grid has one.
    name: String,
    pub(super) groups: Vec<&'a Group>,
}

impl Facet<'_> {
    fn title(&self, title: &str) -> String {
        if self.name.is_empty() { title.to_owned() } else { format!("{title} · {}", self.name) }
    }

    fn file(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{name}-{}", file_name(&self.name)) }
    }

    /// The sites of its model.
    fn sites(&self) -> Vec<(usize, String)> {
        let sites = self.groups.first().map(|group| group.first().info.sites.clone()).unwrap_or_default();
        sites.into_iter().enumerate().collect()
    }

    /// A group has one colour in all pictures: `None` for the reference.
    fn colour(&self, group: &Group) -> Option<usize> {
        let others = self.groups.iter().filter(|other| !other.is_reference());
        if group.is_reference() { None } else { others.into_iter().position(|other| other.name == group.name) }
    }

    /// A group's name without what the title says.
    fn short(&self, group: &Group) -> String {
        let mut name = group.name.clone();
        for (path, value) in group.first().info.axes.iter().filter(|(path, _)| path.starts_with("problem.")) {
            name = axes::without(&name, path, value);
        }
        name
    }
}

/// √(2/(πn)): E |cos| of a random direction.
fn floor(parameters: usize) -> Level {
    let value = (2.0 / (std::f64::consts::PI * parameters as f64)).sqrt();
    Level { value, label: format!("random floor {}", crate::record::table::rounded(value)) }
}

/// As many groups as can be told apart: the reference, and the others by best test accuracy. With how many were left out.
fn fewer(groups: Vec<&Group>) -> (Vec<&Group>, usize) {
    if groups.len() <= CURVES {
        return (groups, 0);
    }
    let best = |group: &&Group| {
        let figures = group.lanes.iter().filter_map(|lane| {
            lane.summary.figures.get(&crate::record::summary::Figure::TestAccuracy).map(|number| number.0)
        });
        let all: Vec<f64> = figures.filter(|value| value.is_finite()).collect();
        if group.is_reference() { f64::INFINITY } else { all.iter().sum::<f64>() / all.len().max(1) as f64 }
    };
    let mut ranked: Vec<(usize, &Group)> = groups.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| best(&b.1).total_cmp(&best(&a.1)));
    let mut kept: Vec<(usize, &Group)> = ranked.into_iter().take(CURVES).collect();
    kept.sort_by_key(|(place, _)| *place);
    (kept.into_iter().map(|(_, group)| group).collect(), groups.len() - CURVES)
}

/// What a caption adds on seeds and what is not shown.
fn note(groups: &[&Group], left_out: usize) -> String {
    let mut text = String::new();
    if groups.iter().any(|group| group.lanes.len() > 1) {
        text.push_str(" Lines are means over seeds, bands their range.");
    }
    if left_out > 0 {
        text.push_str(&format!(" {left_out} lanes of lower test accuracy are left out; --filter chooses others."));
    }
    text
}

/// A curve of one colour without points.
pub(super) fn curve(name: String, index: Option<usize>) -> Curve {
    let colour = palette::lane(index);
    Curve {
        name,
        colour,
        faint: palette::faint(colour),
        dashed: false,
        marker: index.map_or(Marker::Disc, |index| Marker::of(index + 1)),
        points: Vec::new(),
        raw: Vec::new(),
        band: Vec::new(),
        dots: false,
    }
}

/// A chart whose axes hold all points; nothing where no curve has any.
pub(super) fn chart(
    name: &str,
    title: &str,
    (x_label, x_log): (&str, bool),
    (y_label, y_log): (&str, bool),
    mut curves: Vec<Curve>,
    levels: Vec<Level>,
) -> Option<Drawn> {
    curves.retain(|curve| curve.points.iter().any(|(_, y)| y.is_finite() && (!y_log || *y > 0.0)));
    if curves.is_empty() {
        return None;
    }
    let fits = |value: &f64| value.is_finite() && (!y_log || *value > 0.0);
    let bands = || curves.iter().flat_map(|curve| &curve.band).flat_map(|(_, low, high)| [*low, *high]);
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y).chain(bands()).filter(fits);
    let shown = || values().chain(levels.iter().map(|level| level.value));
    let (mut low, mut high) =
        shown().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if y_log {
        low = low.max(high / DECADES);
        (low, high) = (low / 1.1, high * 1.1);
    } else {
        let room = 0.04 * (high - low);
        // What begins at zero stays there.
        (low, high) = (if low >= 0.0 && low - room < 0.0 { 0.0 } else { low - room }, high + room);
    }
    let places = || curves.iter().flat_map(|curve| &curve.points).map(|(x, _)| *x).filter(|x| x.is_finite());
    let (first, last) = places().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let seeds = curves.iter().any(|curve| !curve.band.is_empty());
    let dots = curves.iter().any(|curve| curve.dots);
    let notes = match (seeds, dots) {
        (false, _) => "",
        (true, false) => "mean and range of the seeds",
        (true, true) => "mean of the seeds ± standard error",
    };
    let figure = Figure {
        title: title.to_owned(),
        notes: notes.to_owned(),
        identity: Vec::new(),
        body: Body::Curves {
            x: Axis::new(x_label, first, last, x_log),
            y: Axis::new(y_label, low, high, y_log),
            curves,
            levels,
        },
    };
    Some(Drawn { name: name.to_owned(), caption: String::new(), figure })
}

/// A part of a file's name.
pub(super) fn file_name(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let text: String = text.replace('×', "x").chars().map(plain).collect();
    text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Pictures by the stem of their file: no two have the same.
pub(super) fn apart(drawn: &mut [Drawn]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for figure in drawn {
        let times = seen.entry(figure.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            figure.name = format!("{}-{times}", figure.name);
        }
    }
}
