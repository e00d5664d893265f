//! `docs/findings.md` says what the summaries that are kept beside it say.

use guesswork::record::number::Number;
use guesswork::record::summary::{Figure, Mean, Summary};
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Kept summaries with their file's stem.
fn kept() -> Vec<(String, Summary)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(docs().join("runs")).unwrap() {
        let path = entry.unwrap().path();
        let summary = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        found.push((path.file_stem().unwrap().to_string_lossy().into_owned(), summary));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// `87.0 ± 0.1`, in percent.
fn percent(mean: &Mean) -> String {
    match mean.error {
        Some(error) => format!("{:.1} ± {:.1}", 100.0 * mean.mean.0, 100.0 * error.0),
        None => format!("{:.1}", 100.0 * mean.mean.0),
    }
}

/// `0.227 ± 0.003`, and `0.0110 ± 0.0001` of what is small.
fn cosines(mean: &Mean) -> [String; 2] {
    let error = mean.error.unwrap_or(Number(0.0)).0;
    [format!("{:.3} ± {error:.3}", mean.mean.0), format!("{:.4} ± {error:.4}", mean.mean.0)]
}

/// Every summary is linked by one section, which quotes the test accuracy of each of its groups of lanes, or their mean cosine, and
/// every link leads to one.
#[test]
fn findings_quote_the_summaries_they_name() {
    let text = std::fs::read_to_string(docs().join("findings.md")).unwrap();
    let (sections, kept) = (text.split("\n## ").collect::<Vec<_>>(), kept());
    assert!(!kept.is_empty());
    for (name, summary) in &kept {
        let link = format!("(runs/{name}.json)");
        let of: Vec<&&str> = sections.iter().filter(|section| section.contains(&link)).collect();
        let [section] = of[..] else { panic!("{} sections of findings.md link {link}", of.len()) };
        assert!(!summary.interrupted && !summary.groups.is_empty(), "{name} is of a whole run");
        for group in &summary.groups {
            let accuracy = percent(&group.figures[&Figure::TestAccuracy]);
            let cosine = group.figures.get(&Figure::MeanCosine).map(cosines).into_iter().flatten();
            let mut quotes = std::iter::once(accuracy.clone()).chain(cosine);
            let quoted = quotes.any(|quote| section.contains(&quote));
            assert!(quoted, "findings.md, {name}, {}: {accuracy} is not there, nor its cosine", group.name);
        }
    }
    let links = text.split("(runs/").skip(1).map(|rest| rest.split(".json)").next().unwrap());
    for link in links {
        assert!(kept.iter().any(|(name, _)| name == link), "findings.md links runs/{link}.json, which is not there");
    }
}
