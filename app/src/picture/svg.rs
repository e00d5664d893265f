//! A scene as an SVG document.

use super::scene::{Align, Area, Colour, Point, Scene, Shape, Weight};
use std::fmt::Write;

/// The document of `scene`.
pub fn document(scene: &Scene) -> String {
    let (width, height) = (number(scene.width), number(scene.height));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"Roboto, 'Helvetica Neue', Arial, sans-serif\">\n"
    );
    let _ = writeln!(text, "<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>", hex(scene.ground));
    let mut clips = 0;
    write(&mut text, &scene.shapes, &mut clips);
    text.push_str("</svg>\n");
    text
}

fn write(text: &mut String, shapes: &[Shape], clips: &mut usize) {
    for shape in shapes {
        let _ = match shape {
            Shape::Block { area, fill } => {
                writeln!(text, "<rect {} fill=\"{}\" shape-rendering=\"crispEdges\"/>", rectangle(area), hex(*fill))
            }
            Shape::Line { points, stroke, width, dash } => {
                let dash = dash.map_or_else(String::new, |[on, off]| {
                    format!(" stroke-dasharray=\"{} {}\"", number(on), number(off))
                });
                writeln!(
                    text,
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\" \
                     stroke-linecap=\"round\"{dash}/>",
                    places(points),
                    hex(*stroke),
                    number(*width)
                )
            }
            Shape::Polygon { points, fill, opacity } => {
                let through =
                    if *opacity < 1.0 { format!(" fill-opacity=\"{}\"", number(*opacity)) } else { String::new() };
                writeln!(text, "<polygon points=\"{}\" fill=\"{}\"{through}/>", places(points), hex(*fill))
            }
            Shape::Disc { centre: (x, y), radius, fill } => writeln!(
                text,
                "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>",
                number(*x),
                number(*y),
                number(*radius),
                hex(*fill)
            ),
            Shape::Text { at: (x, y), text: words, size, weight, fill, align, upright } => {
                let anchor = match align {
                    Align::Start => "",
                    Align::Middle => " text-anchor=\"middle\"",
                    Align::End => " text-anchor=\"end\"",
                };
                let weight = if *weight == Weight::Medium { " font-weight=\"500\"" } else { "" };
                let (x, y) = (number(*x), number(*y));
                let turn = if *upright { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
                writeln!(
                    text,
                    "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"{weight} fill=\"{}\"{anchor}{turn}>{}</text>",
                    number(*size),
                    hex(*fill),
                    escaped(words)
                )
            }
            Shape::Within { area, shapes } => {
                *clips += 1;
                let clip = *clips;
                let _ = writeln!(text, "<clipPath id=\"area{clip}\"><rect {}/></clipPath>", rectangle(area));
                let _ = writeln!(text, "<g clip-path=\"url(#area{clip})\">");
                write(text, shapes, clips);
                writeln!(text, "</g>")
            }
        };
    }
}

fn rectangle(area: &Area) -> String {
    let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(number);
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

fn places(points: &[Point]) -> String {
    points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect::<Vec<_>>().join(" ")
}

/// A coordinate to a hundredth, which is less than any eye sees.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hex(Colour(r, g, b): Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text that stands between tags. Characters that XML does not know are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            letter if letter.is_control() => {}
            letter => safe.push(letter),
        }
    }
    safe
}
