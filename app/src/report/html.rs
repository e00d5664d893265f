//! The page as one HTML file, its pictures inside: nothing is fetched from elsewhere.

use super::figures::Drawn;
use super::groups::Report;
use super::tables;
use crate::record::table::Cells;
use std::fmt::Write;

const STYLE: &str = "\
body{font:15px/1.5 Roboto,'Helvetica Neue',Arial,sans-serif;color:#1c1e24;background:#fff;margin:2.5rem auto;max-width:1080px;padding:0 1rem}\
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.2rem 0 .7rem}h3{font-size:1rem;margin:1.6rem 0 .4rem}\
.question{font-size:1.05rem;color:#45484f;margin:.2rem 0 1rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .7rem;border-bottom:1px solid #e5e7ec;white-space:nowrap;text-align:left}th{border-bottom:2px solid #969aa2;font-weight:500}\
.right{text-align:right}tbody tr:hover{background:#f5f6f8}\
figure{margin:1.2rem 0 2rem}figure svg{width:100%;height:auto;border:1px solid #e5e7ec;border-radius:6px}\
figcaption,.notes{font-size:.86rem;color:#5c606a}code{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.9em;background:#f2f3f5;padding:.05em .3em;border-radius:3px}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.86rem}dt{color:#5c606a}dd{margin:0;overflow-wrap:anywhere}";

/// The page.
pub(super) fn page(report: &Report, figures: &[Drawn]) -> String {
    let summary = report.summary();
    let name = escaped(&summary.name);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name} · guesswork</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n"
    );
    for question in tables::questions(report) {
        let _ = writeln!(text, "<p class=\"question\">{}</p>", escaped(&question));
    }
    text.push_str("<h2>Results</h2>\n");
    push_table(&mut text, &tables::results(report, &summary));
    if let Some(measured) = tables::measured(report) {
        text.push_str("<h2>Measured beside training</h2>\n<p class=\"notes\">Means over the run; medians where a column says so.</p>\n");
        push_table(&mut text, &measured);
    }
    text.push_str("<ul class=\"notes\">\n");
    for note in tables::notes(report, &summary) {
        let _ = writeln!(text, "<li>{}</li>", coded(&note));
    }
    text.push_str("</ul>\n");
    if !figures.is_empty() {
        text.push_str("<h2>Figures</h2>\n");
    }
    for drawn in figures {
        let _ = write!(
            text,
            "<figure id=\"{}\">\n{}<figcaption>{} Made by <code>{}</code>.</figcaption>\n</figure>\n",
            escaped(&drawn.name),
            within(&drawn.figure.svg(), &drawn.name),
            coded(&drawn.caption),
            escaped(&report.command)
        );
    }
    text.push_str("<h2>Runs</h2>\n");
    for run in tables::identity(report) {
        text.push_str("<dl>\n");
        for (name, value) in run {
            let value = if name == "command" { format!("<code>{}</code>", escaped(&value)) } else { escaped(&value) };
            let _ = writeln!(text, "<dt>{name}</dt><dd>{value}</dd>");
        }
        text.push_str("</dl>\n");
    }
    let _ = writeln!(
        text,
        "<p class=\"notes\">This page was made by <code>{}</code>.</p>\n</body>\n</html>",
        escaped(&report.command)
    );
    text
}

fn push_table(text: &mut String, table: &Cells) {
    let class = |right: bool| if right { " class=\"right\"" } else { "" };
    text.push_str("<div class=\"wide\"><table>\n<thead><tr>");
    for (title, right) in &table.titles {
        let _ = write!(text, "<th{}>{}</th>", class(*right), escaped(title));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        text.push_str("<tr>");
        for (cell, (_, right)) in row.iter().zip(&table.titles) {
            let _ = write!(text, "<td{}>{}</td>", class(*right), escaped(cell));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
}

/// A picture to stand in a page with others: the names within it are its own.
fn within(svg: &str, name: &str) -> String {
    svg.replace("id=\"", &format!("id=\"{name}-")).replace("url(#", &format!("url(#{name}-"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text whose parts in backticks are code.
fn coded(text: &str) -> String {
    let mut coded = String::new();
    for (index, part) in text.split('`').enumerate() {
        match index % 2 {
            0 => coded.push_str(&escaped(part)),
            _ => {
                let _ = write!(coded, "<code>{}</code>", escaped(part));
            }
        }
    }
    coded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_code_is_marked() {
        assert_eq!(coded("a<b `c & d` \"e\""), "a&lt;b <code>c &amp; d</code> &quot;e&quot;");
        assert_eq!(
            within("<clipPath id=\"a\"/><g clip-path=\"url(#a)\">", "x"),
            "<clipPath id=\"x-a\"/><g clip-path=\"url(#x-a)\">"
        );
    }
}
