//! What `guesswork plugin list` and `guesswork plugin info` say, as text and as data for JSON.
#![forbid(unsafe_code)]

use super::catalog::Catalog;
use super::info::StrategyInfo;
use super::params::ParamSpec;
use super::refusal::Refused;
use serde::Serialize;
use std::fmt::Write;

/// A catalog as data.
#[derive(Clone, Debug, Serialize)]
pub struct Listing<'a> {
    /// Usable strategies.
    pub strategies: Vec<&'a StrategyInfo>,
    /// Unusable files and strategies.
    pub unusable: Vec<Unusable>,
    /// Things a person should know.
    pub notes: &'a [String],
}

/// Something that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The file.
    pub library: String,
    /// The strategy, when only that is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Why.
    pub reason: String,
}

impl From<&Refused> for Unusable {
    fn from(refused: &Refused) -> Self {
        Self {
            library: refused.path.display().to_string(),
            strategy: refused.strategy.clone(),
            reason: refused.reason.to_string(),
        }
    }
}

/// A catalog as data.
pub fn listing(catalog: &Catalog) -> Listing<'_> {
    Listing {
        strategies: catalog.strategies.iter().map(AsRef::as_ref).collect(),
        unusable: catalog.refused.iter().map(Unusable::from).collect(),
        notes: &catalog.notes,
    }
}

/// A catalog as text: the usable strategies as a table by library, then what cannot be used, with the reason.
pub fn list(catalog: &Catalog) -> String {
    let mut text = String::new();
    if catalog.strategies.is_empty() {
        text.push_str("No strategy was found. Name a folder with --plugin-path or GUESSWORK_PLUGIN_PATH.\n");
    } else {
        let header = ["STRATEGY", "KIND", "VERSION", "NAME"].map(str::to_owned);
        let row =
            |info: &StrategyInfo| [info.id.clone(), info.kind.to_string(), info.version.clone(), info.name.clone()];
        let rows: Vec<[String; 4]> =
            std::iter::once(header).chain(catalog.strategies.iter().map(|info| row(info))).collect();
        table(&mut text, &rows);
        text.push_str("\nLibraries:\n");
        let mut libraries: Vec<_> = catalog.strategies.iter().map(|info| &info.library).collect();
        libraries.dedup();
        for library in libraries {
            let _ = writeln!(text, "  {}", library.display());
        }
    }
    if !catalog.refused.is_empty() {
        text.push_str("\nNot usable:\n");
        for refused in &catalog.refused {
            let strategy = refused.strategy.as_ref().map(|id| format!(" (strategy `{id}`)")).unwrap_or_default();
            let _ = writeln!(text, "  {}{strategy}\n    {}", refused.path.display(), refused.reason);
        }
    }
    if !catalog.notes.is_empty() {
        text.push_str("\nNotes:\n");
        for note in &catalog.notes {
            let _ = writeln!(text, "  {note}");
        }
    }
    text
}

/// One strategy as text: what it is, its formula, what it reads and uses, its parameters.
pub fn info(strategy: &StrategyInfo) -> String {
    let StrategyInfo { id, name, version, kind, .. } = strategy;
    let mut text = format!("{name} ({id}) {version}\n\n  {}\n\n", strategy.formula);
    if !strategy.description.is_empty() {
        let _ = writeln!(text, "{}\n", strategy.description);
    }
    let flags = strategy.flag_names();
    let fields = [
        ("kind", kind.to_string()),
        ("needs", strategy.needs.to_string()),
        ("wants", strategy.wants.to_string()),
        ("services", strategy.services.to_string()),
        ("precision", strategy.dtype_names().join(", ")),
        ("devices", strategy.device_names().join(", ")),
        ("properties", if flags.is_empty() { "none".into() } else { flags.join(", ") }),
        ("source", strategy.citation.clone()),
        ("licence", strategy.licence.clone()),
        ("library", strategy.library.display().to_string()),
        ("built with", strategy.sdk.clone()),
        ("interface", format!("{}.{}", strategy.abi.0, strategy.abi.1)),
    ];
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{field:<11} {value}");
    }
    if strategy.params.is_empty() {
        text.push_str("\nIt takes no parameters.\n");
        return text;
    }
    text.push('\n');
    let header = ["PARAMETER", "DEFAULT", "VALUES", "MEANING"].map(str::to_owned);
    let row =
        |spec: &ParamSpec| [spec.key.clone(), spec.default_value().to_string(), spec.expected(), spec.doc.clone()];
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(strategy.params.iter().map(row)).collect();
    table(&mut text, &rows);
    text
}

/// Rows with columns as wide as their widest cell; the last column is left as it is.
fn table(text: &mut String, rows: &[[String; 4]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [a, b, c, d] in rows {
        let line = format!("{a:<0$}  {b:<1$}  {c:<2$}  {d}", widths[0], widths[1], widths[2]);
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
