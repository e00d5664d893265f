//! How values are written on the command line: seeds, times, devices, counts.

use crate::filter::{self, Filter};
use crate::options::DeviceChoice;
use std::time::Duration;

/// Most seeds that a range may stand for.
const MOST_SEEDS: u64 = 100_000;

/// `0..5` (0 to 4), `0..=5`, `3`, `1,4,9`.
pub(super) fn seeds(text: &str) -> Result<Vec<u64>, String> {
    let wrong = || format!("`{text}`: write 0..5 for 0 to 4, or 1,4,9");
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let (first, end) = match part.split_once("..") {
            None => {
                let seed = number(part)?;
                (seed, seed.checked_add(1).ok_or_else(wrong)?)
            }
            Some((first, last)) => match last.strip_prefix('=') {
                Some(last) => (number(first)?, number(last)?.checked_add(1).ok_or_else(wrong)?),
                None => (number(first)?, number(last)?),
            },
        };
        if first >= end {
            return Err(format!("`{part}` holds no seed; {}", wrong()));
        }
        if end - first > MOST_SEEDS {
            return Err(format!("`{part}`: at most {MOST_SEEDS} seeds"));
        }
        seeds.extend(first..end);
    }
    Ok(seeds)
}

/// A filter of lanes; an error shows the place.
pub(super) fn filter(text: &str) -> Result<Filter, String> {
    filter::parse(text).map_err(|error| error.marked(text))
}

/// `90s`, `10m`, `1h30m`, `2.5h`; a bare number is seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}`: write a time above 0 as 90s, 10m or 1h30m");
    let mut seconds = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].chars().next();
        seconds += number
            * match unit {
                None | Some('s') => 1.0,
                Some('m') => 60.0,
                Some('h') => 3600.0,
                Some('d') => 86400.0,
                Some(_) => return Err(wrong()),
            };
        rest = &rest[digits + unit.map_or(0, char::len_utf8)..];
    }
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    if time.is_zero() { Err(wrong()) } else { Ok(time) }
}

/// `auto`, `cpu`, `cuda`, `cuda:1`, `metal`.
pub(super) fn device(text: &str) -> Result<DeviceChoice, String> {
    match text.split_once(':') {
        None if text == "auto" => Ok(DeviceChoice::Auto),
        None if text == "cpu" => Ok(DeviceChoice::Cpu),
        None if text == "cuda" => Ok(DeviceChoice::Cuda(0)),
        None if text == "metal" => Ok(DeviceChoice::Metal),
        Some(("cuda", number)) => number
            .parse()
            .map(DeviceChoice::Cuda)
            .map_err(|_| format!("`{number}` is not the number of a device; write cuda:0")),
        _ => Err(format!("`{text}` is not a device; write auto, cpu, cuda:0 or metal")),
    }
}

/// A number of threads, at least 1.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=4096) => Ok(threads),
        _ => Err(format!("`{text}`: expected 1 to 4096 threads")),
    }
}

/// A number of guesses of a probe, at least 2.
pub(super) fn guesses(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(guesses @ 2..=100_000) => Ok(guesses),
        _ => Err(format!("`{text}`: expected 2 to 100000 guesses; a variance needs two, its standard error three")),
    }
}

/// A number of rounds, at least 1.
pub(super) fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=100_000) => Ok(rounds),
        _ => Err(format!("`{text}`: expected 1 to 100000 rounds")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_ranges_and_lists() {
        assert_eq!(seeds("0..5").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(seeds("2..=3,9").unwrap(), [2, 3, 9]);
        assert_eq!(seeds("7").unwrap(), [7]);
        for wrong in ["", "a", "5..5", "5..2", "0..=", "0..10000000000", "-1", "18446744073709551615"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [("90", 90.0), ("10m", 600.0), ("1h30m", 5400.0), ("2.5s", 2.5), ("1d", 86400.0)] {
            assert_eq!(time(text).unwrap().as_secs_f64(), expected, "{text}");
        }
        for wrong in ["", "0s", "m", "10x", "1..2s", "-3s", "99999999999999999999999d", "10µ"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn devices_have_names() {
        assert_eq!(device("cuda:3"), Ok(DeviceChoice::Cuda(3)));
        assert_eq!(device("cuda"), Ok(DeviceChoice::Cuda(0)));
        assert_eq!(device("auto"), Ok(DeviceChoice::Auto));
        for wrong in ["gpu", "cuda:", "cuda:x", "cpu:1", ""] {
            assert!(device(wrong).is_err(), "{wrong}");
        }
    }
}
