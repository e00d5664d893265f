//! Wall-clock moments as text, in UTC: `2024-05-01T12:00:00Z` for records, `20240501-120000` for folder names.
//!
//! The date follows from the day number by the proleptic Gregorian calendar: 400 years are 146 097 days, and a year counted
//! from March ends in the leap day.
#![forbid(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

/// A second of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
}

impl Utc {
    /// This moment.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// `2024-05-01T12:00:00Z`, RFC 3339.
    pub fn rfc3339(self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", self.year, self.month, self.day)
    }

    /// `20240501-120000`: sorts by time and fits a file name.
    pub fn compact(self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{:04}{:02}{:02}-{hour:02}{minute:02}{second:02}", self.year, self.month, self.day)
    }

    fn clock(self) -> (i64, i64, i64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }

    fn from_unix(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        // Days since 1 March of the year 0, the start of a cycle of 400 years.
        let shifted = days + 719_468;
        let cycle = shifted.div_euclid(146_097);
        let day_of_cycle = shifted.rem_euclid(146_097);
        let year_of_cycle =
            (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
        let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        // Months from March, in groups of five that last 153 days.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = 400 * cycle + year_of_cycle + i64::from(month <= 2);
        Self { year, month, day, second_of_day: seconds.rem_euclid(86_400) }
    }
}

impl From<SystemTime> for Utc {
    fn from(time: SystemTime) -> Self {
        Self::from_unix(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc::from_unix(seconds).rfc3339(), text);
        }
        assert_eq!(Utc::from_unix(1_000_000_000).compact(), "20010909-014640");
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_last() {
        let mut last = Utc::from_unix(-86_400);
        for day in 0..146_097 {
            let next = Utc::from_unix(day * 86_400);
            let same_month = next.month == last.month && next.day == last.day + 1;
            let next_month = next.day == 1 && (next.month == last.month + 1 || (next.month == 1 && last.month == 12));
            assert!(same_month || next_month, "{last:?} then {next:?}");
            assert_eq!(next.year - last.year, i64::from(next.month == 1 && next.day == 1));
            last = next;
        }
    }
}
