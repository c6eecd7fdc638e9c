//! Points in time as YYYYMMDDHHMMSSZ, the form in which certificates are read: it sorts as text.

const SECONDS_PER_DAY: u64 = 86_400;

/// The calendar date of a UNIX time (the proleptic Gregorian calendar, in eras of 400 years).
pub fn from_unix(seconds: u64) -> String {
    let (days, rest) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    // Counted from the first of March of the year 0, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + 400 * era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

/// Whether the calendar has its day.
pub fn has_day(time: &str) -> bool {
    let field = |range: std::ops::Range<usize>| time.get(range)?.parse::<u32>().ok();
    let (Some(year), Some(month), Some(day)) = (field(0..4), field(4..6), field(6..8)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=days).contains(&day)
}

/// For people: 2026-01-31 23:59:59 UTC.
pub fn readable(time: &str) -> String {
    let part = |range: std::ops::Range<usize>| time.get(range).unwrap_or_default();
    format!(
        "{}-{}-{} {}:{}:{} UTC",
        part(0..4),
        part(4..6),
        part(6..8),
        part(8..10),
        part(10..12),
        part(12..14)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates() {
        assert_eq!(from_unix(0), "19700101000000Z");
        assert_eq!(from_unix(951_782_399), "20000228235959Z");
        assert_eq!(from_unix(951_782_400), "20000229000000Z");
        assert_eq!(from_unix(1_709_251_199), "20240229235959Z");
        assert_eq!(from_unix(4_102_444_800), "21000101000000Z");
        assert_eq!(readable("20240229235959Z"), "2024-02-29 23:59:59 UTC");
    }

    #[test]
    fn knows_the_calendar() {
        for day in ["20240229", "20000229", "20261231", "20260430", "99991231"] {
            assert!(has_day(&format!("{day}000000Z")), "{day}");
        }
        for day in ["20270230", "20230229", "21000229", "20260431", "20260100"] {
            assert!(!has_day(&format!("{day}000000Z")), "{day}");
        }
    }
}
