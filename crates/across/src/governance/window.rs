//! The stretches of time that quotas count over.

use chrono::{Datelike as _, DurationRound as _, Months, TimeDelta};

use crate::clock::Time;

/// A stretch of time over which a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// Sixty seconds.
    Minute,
    /// Sixty minutes.
    Hour,
    /// A day of UTC.
    Day,
    /// A month of UTC.
    Month,
}

impl Window {
    /// All of them, in the order in which counters are taken.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The window of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_str() == name)
    }

    /// When the window that holds `at` began.
    #[must_use]
    pub fn start(self, at: Time) -> Time {
        let day = at.duration_trunc(TimeDelta::days(1)).unwrap_or(at);
        match self {
            Self::Minute => at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at),
            Self::Hour => at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at),
            Self::Day => day,
            Self::Month => day - TimeDelta::days(i64::from(day.day0())),
        }
    }

    /// When the window after the one that holds `at` begins.
    #[must_use]
    pub fn end(self, at: Time) -> Time {
        let start = self.start(at);
        match self {
            Self::Minute => start + TimeDelta::minutes(1),
            Self::Hour => start + TimeDelta::hours(1),
            Self::Day => start + TimeDelta::days(1),
            Self::Month => start
                .checked_add_months(Months::new(1))
                .unwrap_or(start + TimeDelta::days(31)),
        }
    }

    /// When the window before the one that holds `at` began.
    #[must_use]
    pub fn previous(self, at: Time) -> Time {
        self.start(self.start(at) - TimeDelta::microseconds(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn windows_change_exactly_at_midnight_utc() {
        let last = at("2028-02-29T23:59:59.999999Z");
        let next = at("2028-03-01T00:00:00Z");
        for window in [Window::Day, Window::Month] {
            assert_eq!(window.end(last), next, "{window:?}");
            assert_eq!(window.start(next), next, "{window:?}");
        }
        assert_eq!(Window::Month.start(last), at("2028-02-01T00:00:00Z"));
        assert_eq!(
            Window::Month.end(at("2026-12-31T12:00:00Z")),
            at("2027-01-01T00:00:00Z")
        );
        assert_eq!(Window::Month.previous(next), at("2028-02-01T00:00:00Z"));
        assert_eq!(Window::Minute.previous(next), at("2028-02-29T23:59:00Z"));
    }
}
