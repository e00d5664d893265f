//! Numbers as people read them: few digits, constant width where columns must align.
#![forbid(unsafe_code)]

use crate::workspace::OptimizerSpec;

/// A whole number in groups of three: `1 240`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A measured value with three significant digits, at most seven characters: `0.412`, `12.3`, `1.24k`, `2.2e-3`, `NaN`.
pub fn value(number: f64) -> String {
    let size = number.abs();
    match () {
        () if number.is_nan() => "NaN".to_owned(),
        () if number.is_infinite() => (if number > 0.0 { "∞" } else { "−∞" }).to_owned(),
        () if size == 0.0 => "0".to_owned(),
        () if size < 0.00095 => minus(format!("{number:.1e}")),
        () if size < 0.0095 => minus(format!("{number:.4}")),
        () if size < 9.995 => minus(format!("{number:.3}")),
        () if size < 99.95 => minus(format!("{number:.2}")),
        () if size < 999.5 => minus(format!("{number:.1}")),
        () => minus(si(number)),
    }
}

/// A measured value with six significant digits, for the read-out of the crosshair: `0.412387`, `−1.20000e−5`.
pub fn exact(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || !number.is_finite() {
        return value(number);
    }
    if !(1e-4..1e6).contains(&size) {
        return minus(format!("{number:.5e}"));
    }
    let digits = (5 - size.log10().floor() as i32).clamp(0, 9) as usize;
    minus(format!("{number:.digits$}"))
}

/// A share as a percentage: `84.2 %`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { minus(format!("{:.1} %", share * 100.0)) } else { value(share) }
}

/// A signed value in [−1, 1] with two digits and no leading zero, for narrow cells: `.41`, `−.03`, `1.0`.
pub fn cosine(number: f64) -> String {
    if !number.is_finite() {
        return value(number);
    }
    if number.abs() >= 0.995 {
        return minus(format!("{number:.1}"));
    }
    let text = format!("{number:.2}");
    minus(if text == "-0.00" { ".00".to_owned() } else { text.replacen("0.", ".", 1) })
}

/// A rate or count with an SI suffix: `412`, `1.24k`, `134k`, `3.1M`.
pub fn si(number: f64) -> String {
    const SUFFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    if !number.is_finite() {
        return value(number);
    }
    let mut scaled = number;
    let mut index = 0;
    while scaled.abs() >= 999.5 && index + 1 < SUFFIXES.len() {
        scaled /= 1000.0;
        index += 1;
    }
    if scaled.abs() >= 1e6 {
        return format!("{number:.1e}");
    }
    let digits = match scaled.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ if index == 0 && scaled.fract() == 0.0 => 0,
        _ => 2,
    };
    format!("{scaled:.digits$}{}", SUFFIXES[index])
}

/// A rate or count with a unit: `82.4 GFLOP/s`.
pub fn with_unit(number: f64, unit: &str) -> String {
    let text = si(number);
    match text.char_indices().next_back() {
        Some((at, last)) if last.is_ascii_alphabetic() && text != "NaN" => format!("{} {last}{unit}", &text[..at]),
        _ => format!("{text} {unit}"),
    }
}

/// Bytes with a binary unit.
pub fn bytes(count: usize) -> String {
    let count = count as f64;
    if count < 1048576.0 { format!("{:.0} KiB", count / 1024.0) } else { format!("{:.1} MiB", count / 1048576.0) }
}

/// A duration: `41 s`, `3 min 20 s`, `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// The learning rate of an optimizer's settings.
pub fn learning_rate(optimizer: &OptimizerSpec) -> f64 {
    match *optimizer {
        OptimizerSpec::Sgd { lr, .. } | OptimizerSpec::Adam { lr, .. } | OptimizerSpec::AdamW { lr, .. } => lr,
    }
}

fn minus(text: String) -> String {
    if text.contains('-') { text.replace('-', "−") } else { text }
}

/// `text` cut to `width` characters, with an ellipsis where something was lost.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// The name of a layer in `width` characters: of the blocks it lies in their numbers, as much of the rest as there is room for, and its
/// own number. `block0.token.fc1` in twelve is `0.token.fc1`, in four `0.t1`.
pub fn layer(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    let digits = |part: &str| part.chars().rev().take_while(char::is_ascii_digit).count();
    let mut place = String::new();
    let mut rest = name;
    while let Some((block, inside)) = rest.split_once('.').filter(|(block, _)| digits(block) > 0) {
        place.push_str(&block[block.len() - digits(block)..]);
        place.push('.');
        rest = inside;
    }
    let number = &rest[rest.len() - digits(rest)..];
    let words = &rest[..rest.len() - number.len()];
    let words = words.strip_suffix(".fc").unwrap_or(words);
    let whole = [format!("{place}{rest}"), format!("{place}{words}{number}")];
    if let Some(text) = whole.into_iter().find(|text| text.chars().count() <= width) {
        return text;
    }
    let room = width.saturating_sub(place.len() + number.len());
    if place.is_empty() || room == 0 {
        return fit(name, width);
    }
    let some: String = words.chars().take(room).collect();
    format!("{place}{}{number}", some.trim_end_matches('.'))
}

/// Lines of at most `width` characters, broken at spaces where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split_whitespace() {
            let mut word: Vec<char> = word.chars().collect();
            if length > 0 && length + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            while word.len() > width {
                lines.push(word.drain(..width).collect());
            }
            length += word.len();
            line.extend(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_keep_their_place_where_there_is_little_room() {
        let cut = |name: &str| [20, 12, 9, 4].map(|width| layer(name, width));
        assert_eq!(cut("fc1"), ["fc1"; 4]);
        assert_eq!(cut("block0.token.fc1"), ["block0.token.fc1", "0.token.fc1", "0.token1", "0.t1"]);
        assert_eq!(cut("block12.channel.fc"), ["block12.channel.fc", "12.channel", "12.channe", "12.c"]);
        assert_eq!(cut("block3.head"), ["block3.head", "block3.head", "3.head", "3.he"]);
        assert_eq!(cut("stage0.block1.conv2"), ["stage0.block1.conv2", "0.1.conv2", "0.1.conv2", "sta…"]);
        assert_eq!(cut("a.very.long.name.of.a.layer")[3], "a.v…");
        assert_eq!(layer("block0.token.fc1", 0), "");
    }

    #[test]
    fn numbers_read_well() {
        let grouped: Vec<String> = [0, 999, 1240, 5_000, 1_234_567].map(grouped).to_vec();
        assert_eq!(grouped, ["0", "999", "1 240", "5 000", "1 234 567"]);
        let values: Vec<String> =
            [0.412, -1.5, 12.34, 412.0, 1240.0, 0.0022, 2.2e-4, 0.0, f64::NAN, 1e30].map(value).to_vec();
        assert_eq!(values, ["0.412", "−1.500", "12.34", "412.0", "1.24k", "0.0022", "2.2e−4", "0", "NaN", "1.0e30"]);
        assert_eq!([0.414, -0.03, 1.0, 0.0, -0.001].map(cosine).to_vec(), [".41", "−.03", "1.0", ".00", ".00"]);
        let exact: Vec<String> = [0.412_387_4, -12.5, 999_999.4, 2.2e-5, 1e6, f64::NAN].map(exact).to_vec();
        assert_eq!(exact, ["0.412387", "−12.5000", "999999", "2.20000e−5", "1.00000e6", "NaN"]);
        assert_eq!([412.0, 134_794.0, 3.1e6, 0.5].map(si).to_vec(), ["412", "135k", "3.10M", "0.50"]);
        assert_eq!([82.4e9, 12.0].map(|rate| with_unit(rate, "FLOP/s")).to_vec(), ["82.4 GFLOP/s", "12.0 FLOP/s"]);
        assert_eq!([41.0, 200.0, 7500.0].map(duration).to_vec(), ["41 s", "3 min 20 s", "2 h 05 min"]);
    }

    #[test]
    fn text_is_wrapped_and_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(fit("weight-transpose", 8), "weight-…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abc", 0), "");
    }
}
