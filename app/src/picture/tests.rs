//! Pictures read back: the SVG's tags and texts, the PNG's pixels.

use super::*;

fn curves(log: bool) -> Figure {
    let points: Vec<(f64, f64)> = (0..100).map(|step| (f64::from(step), 2.0 / f64::from(step + 1))).collect();
    let curve = |name: &str, colour, marker, shift: f64| Curve {
        name: name.to_owned(),
        colour,
        faint: colour.blend(Colour(255, 255, 255), 0.7),
        dashed: false,
        marker,
        points: points.iter().map(|(x, y)| (*x, y + shift)).collect(),
        raw: vec![points.clone()],
        band: points.iter().map(|(x, y)| (*x, y * 0.9 + shift, y * 1.1 + shift)).collect(),
        dots: false,
    };
    Figure {
        title: "Loss <train> & test".to_owned(),
        notes: "EMA 0.9 · mean and range of 3 seeds".to_owned(),
        identity: vec!["quickstart · fashion-mini".to_owned(), "guesswork 0.1.0".to_owned()],
        body: Body::Curves {
            x: Axis::new("step", 0.0, 99.0, false),
            y: Axis::new("loss", 0.01, 2.5, log),
            curves: vec![
                curve("backprop", Colour(200, 0, 0), Marker::Disc, 0.0),
                curve("weight-transpose", Colour(0, 0, 200), Marker::Square, 0.3),
            ],
            levels: vec![Level { value: 1.0, label: "random floor".to_owned() }],
        },
    }
}

fn heat(columns: Columns, width: usize) -> Figure {
    let cells: Vec<Vec<Option<f64>>> = (0..3)
        .map(|row| (0..width).map(|x| (x % 7 != 3).then_some((row as f64 - 1.0) * x as f64 / width as f64)).collect())
        .collect();
    let stops = vec![Colour(80, 20, 120), Colour(240, 240, 243), Colour(140, 64, 0)];
    Figure {
        title: "Alignment".to_owned(),
        notes: String::new(),
        identity: vec!["seeds 0".to_owned()],
        body: Body::Heat {
            rows: vec!["fc1".to_owned(), "fc2".to_owned(), "fc3".to_owned()],
            columns,
            cells,
            map: Map { low: -1.0, high: 1.0, stops },
            label: "cos(ĝ, g)".to_owned(),
        },
    }
}

/// The pixels of a PNG: width, height, RGB.
fn decode(bytes: &[u8]) -> (usize, usize, Vec<[u8; 3]>) {
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    assert_eq!(info.color_type, ::png::ColorType::Rgb);
    let pixels = data[..info.buffer_size()].chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    (info.width as usize, info.height as usize, pixels)
}

/// Reads XML as far as this program writes it: every tag is closed in order, text is escaped. Returns the texts.
fn well_formed(text: &str) -> Vec<String> {
    let mut open = Vec::new();
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let between = &rest[..start];
        assert!(!between.contains('>'), "{between}");
        if !between.trim().is_empty() {
            words.push(between.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
        }
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap().to_owned());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
    words
}

#[test]
fn an_svg_is_well_formed_and_says_everything() {
    let words = well_formed(&curves(false).svg());
    for expected in [
        "Loss <train> & test",
        "EMA 0.9 · mean and range of 3 seeds",
        "quickstart · fashion-mini",
        "guesswork 0.1.0",
        "backprop",
        "weight-transpose",
        "random floor",
        "step",
        "loss",
        "0.5",
        "60",
    ] {
        assert!(words.iter().any(|text| text == expected), "{expected} is not among {words:?}");
    }
    let words = well_formed(&heat(Columns::Along(Axis::new("step", 0.0, 500.0, false)), 50).svg());
    for expected in ["fc1", "fc3", "cos(ĝ, g)", "step", "−1.0", "seeds 0"] {
        assert!(words.iter().any(|text| text == expected), "{expected} is not among {words:?}");
    }
    let named = Columns::Named(vec!["a".to_owned(), "b".to_owned()]);
    let words = well_formed(&heat(named, 2).svg());
    assert!(words.iter().any(|text| text == "−0.5") && words.iter().any(|text| text == "b"), "{words:?}");
}

#[test]
fn a_png_has_the_curve_where_the_svg_has_it() {
    let figure = curves(false);
    let scene = draw(&figure);
    let curve = scene.shapes.iter().find_map(|shape| match shape {
        Shape::Within { shapes, .. } => shapes.iter().rev().find_map(|shape| match shape {
            Shape::Line { points, stroke, .. } if *stroke == Colour(0, 0, 200) => Some(points.clone()),
            _ => None,
        }),
        _ => None,
    });
    let curve = curve.expect("the curve is in the scene");
    assert!(figure.svg().contains(&format!("{:.2}", curve[50].0)), "the SVG has the same points");
    let (width, height, pixels) = decode(&figure.png(2.0).unwrap());
    assert_eq!((width, height), (1920, 1200));
    for (x, y) in curve.iter().skip(10).step_by(10) {
        let [r, g, b] = pixels[(y * 2.0) as usize * width + (x * 2.0) as usize];
        assert!(b > 150 && r < 90 && g < 90, "({x}, {y}) is {r} {g} {b}");
    }
    assert_eq!(pixels[5], [255, 255, 255]);
    // The title is written.
    let dark = |pixel: &[u8; 3]| pixel.iter().all(|part| *part < 100);
    assert!((40..80).any(|y| pixels[y * width..y * width + 600].iter().any(dark)));
}

#[test]
fn a_heatmap_has_its_colours() {
    let figure = heat(Columns::Along(Axis::new("step", 0.0, 500.0, false)), 50);
    let (.., pixels) = decode(&figure.png(1.0).unwrap());
    let purple = pixels.iter().filter(|[r, g, b]| b > r && r > g && *g < 120).count();
    let orange = pixels.iter().filter(|[r, g, b]| r > g && g > b && *b < 120).count();
    assert!(purple > 2000 && orange > 2000, "{purple} {orange}");
}

#[test]
fn a_curve_with_dots_has_error_bars_and_long_names_have_two_lines() {
    let mut figure = curves(false);
    if let Body::Curves { curves, .. } = &mut figure.body {
        curves.truncate(1);
        curves[0].points.truncate(6);
        (curves[0].dots, curves[0].name) = (true, "a name of several words that does not fit one line".to_owned());
    }
    let discs = figure.svg().matches("<circle").count();
    assert_eq!(discs, 6 + 1, "a dot a point, one in the legend");
    let words = well_formed(&figure.svg());
    let name: Vec<&String> = words
        .iter()
        .filter(|text| "a name of several words that does not fit one line".contains(text.as_str()) && text.len() > 7)
        .collect();
    assert_eq!(
        name.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(" "),
        "a name of several words that does not fit one line"
    );
    assert!(name.len() == 2 && !figure.svg().contains("<polygon"), "{name:?}");
    assert!(figure.png(1.0).is_ok());
    // What is in one file hides what it covers only in part in both forms.
    assert!(curves(false).svg().contains("fill-opacity=\"0.16\""));
}

#[test]
fn odd_figures_are_drawn_too() {
    let mut figure = curves(true);
    if let Body::Curves { curves, .. } = &mut figure.body {
        curves[0].points = vec![(0.0, f64::NAN), (5.0, 1.0), (6.0, f64::INFINITY), (7.0, -1.0)];
        curves[1].points.clear();
        curves[1].band.clear();
        curves[0].name = "a very long name of a lane that goes on and on and on and on".to_owned();
    }
    well_formed(&figure.svg());
    assert!(figure.png(1.0).is_ok());
    let empty = Body::Heat {
        rows: Vec::new(),
        columns: Columns::Named(Vec::new()),
        cells: Vec::new(),
        map: Map { low: 0.0, high: 0.0, stops: vec![] },
        label: String::new(),
    };
    let figure = Figure { body: empty, ..figure };
    well_formed(&figure.svg());
    assert!(figure.png(0.0).unwrap_err().contains("1 to 16384 pixels"));
}
