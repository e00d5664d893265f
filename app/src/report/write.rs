//! Where a report goes: a folder with the page, its pictures and its numbers, or one text.

use super::figures::{Drawn, apart};
use super::{Report, ReportError, html, markdown, numbers};
use crate::record::replace::replace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Pixels of a PNG for each unit of a picture's size.
const SCALE: f32 = 2.0;

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A page in Markdown; in a folder its pictures lie beside it as SVG and PNG.
    #[default]
    Markdown,
    /// One HTML file with its pictures inside.
    Html,
    /// Numbers of groups, lanes and curves.
    Json,
    /// A row for each lane.
    Csv,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The page, or the file of numbers that was asked for.
    pub main: PathBuf,
    /// Pictures drawn.
    pub figures: usize,
    /// All files.
    pub files: Vec<PathBuf>,
}

/// The report as one text.
///
/// # Errors
/// When it has no such form.
pub fn print(report: &Report, format: Format) -> Result<String, ReportError> {
    Ok(match format {
        Format::Markdown => markdown::page(report, &[], false),
        Format::Html => html::page(report, &drawn(report)),
        Format::Json => json(report, &drawn(report))?,
        Format::Csv => numbers::csv(report),
    })
}

/// Writes the report to `folder`, which is made where it is not there: the page with its pictures, `report.json` and `report.csv`; of
/// a form of numbers that file alone. Files of an earlier report go over, others stay.
///
/// # Errors
/// When a file cannot be written.
pub fn write(report: &Report, format: Format, folder: &Path) -> Result<Written, ReportError> {
    let mut files = Files { folder, written: Vec::new() };
    let figures = drawn(report);
    files.folder(Path::new(""))?;
    let main = match format {
        Format::Json => files.put("report.json", json(report, &figures)?.as_bytes())?,
        Format::Csv => files.put("report.csv", numbers::csv(report).as_bytes())?,
        Format::Html => files.put("report.html", html::page(report, &figures).as_bytes())?,
        Format::Markdown => {
            files.folder(Path::new("figures"))?;
            for drawn in &figures {
                let png = drawn.figure.png(SCALE);
                let png = png.map_err(|reason| ReportError::Picture { figure: drawn.name.clone(), reason })?;
                files.put(&format!("figures/{}.svg", drawn.name), drawn.figure.svg().as_bytes())?;
                files.put(&format!("figures/{}.png", drawn.name), &png)?;
            }
            files.put("report.md", markdown::page(report, &figures, true).as_bytes())?
        }
    };
    if matches!(format, Format::Markdown | Format::Html) {
        files.put("report.json", json(report, &figures)?.as_bytes())?;
        files.put("report.csv", numbers::csv(report).as_bytes())?;
    }
    Ok(Written { main, figures: figures.len(), files: files.written })
}

fn drawn(report: &Report) -> Vec<Drawn> {
    let mut figures = report.figures();
    apart(&mut figures);
    figures
}

fn json(report: &Report, figures: &[Drawn]) -> Result<String, ReportError> {
    let failed = |error: serde_json::Error| ReportError::Write { path: "report.json".into(), error: error.into() };
    numbers::json(report, figures).map_err(failed)
}

struct Files<'a> {
    folder: &'a Path,
    written: Vec<PathBuf>,
}

impl Files<'_> {
    fn folder(&self, name: &Path) -> Result<(), ReportError> {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).map_err(at(&path))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, ReportError> {
        let path = self.folder.join(name);
        replace(&path, bytes).map_err(at(&path))?;
        self.written.push(path.clone());
        Ok(path)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> ReportError + use<> {
    let path = path.to_owned();
    move |error| ReportError::Write { path: path.clone(), error }
}
