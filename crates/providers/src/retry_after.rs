//! When a vendor wants to be asked again, in all the spellings in which vendors say so.

use std::time::Duration;

use across::clock::Time;
use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The wait of a vendor that does not want to be asked again.
pub(crate) const NEVER: Duration = Duration::MAX;

/// The status of a limit that was reached: only then do the headers on limits say anything about the request.
const LIMIT_REACHED: u16 = 429;
/// What limits are counted in, in the names of OpenAI's headers and of Anthropic's.
const COUNTED: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];

/// The wait that the head of a refusal asks for. Moments count from the answer's own `Date`, so that clocks need not agree,
/// else from `now`.
pub(crate) fn retry_after(headers: &HeaderMap, status: u16, now: Time) -> Option<Duration> {
    let head = Head { headers, now };
    let named = head.text("retry-after-ms").and_then(|text| milliseconds(text, 1000.0));
    let named = named.or_else(|| head.wait(head.text(RETRY_AFTER.as_str())?));
    if named.is_some() || status != LIMIT_REACHED {
        return named;
    }
    let reset = |limit: &str| head.wait(head.text(&format!("{limit}-reset"))?);
    let reached = |limit: &str| head.text(&format!("{limit}-remaining")).is_none_or(|left| left == "0");
    let anthropic = COUNTED.map(|counted| format!("anthropic-ratelimit-{counted}"));
    let anthropic = anthropic
        .iter()
        .filter(|limit| reached(limit))
        .filter_map(|limit| reset(limit));
    let openai = COUNTED.iter().filter(|counted| {
        let left = head.text(&format!("x-ratelimit-remaining-{counted}"));
        left.is_none_or(|left| left == "0")
    });
    let openai = openai.filter_map(|counted| head.wait(head.text(&format!("x-ratelimit-reset-{counted}"))?));
    let plain = head.text("x-ratelimit-reset").and_then(|text| head.wait(text));
    // All the limits that were reached have to be free again.
    anthropic.chain(openai).chain(plain).max()
}

struct Head<'a> {
    headers: &'a HeaderMap,
    now: Time,
}

impl Head<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// A wait as seconds, as a duration such as `6m0s`, or as the moment at its end.
    fn wait(&self, text: &str) -> Option<Duration> {
        /// A number beyond this is a moment, in seconds or in milliseconds since 1970.
        const MOMENT: f64 = 1e9;
        const MOMENT_IN_MS: f64 = 1e12;
        if let Ok(number) = text.parse::<f64>() {
            return match number {
                number if number >= MOMENT_IN_MS => self.until(DateTime::from_timestamp_millis(whole(number)?)?),
                number if number >= MOMENT => self.until(DateTime::from_timestamp(whole(number)?, 0)?),
                _ => milliseconds(text, 1.0),
            };
        }
        if let Some(wait) = duration(text) {
            return Some(wait);
        }
        let date = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
        self.until(date.ok()?.to_utc())
    }

    fn until(&self, end: DateTime<Utc>) -> Option<Duration> {
        let date = self
            .text(DATE.as_str())
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let begun = date.map_or(self.now, |date| date.to_utc());
        // What is past already need not be waited for.
        Some(end.signed_duration_since(begun).to_std().unwrap_or_default())
    }
}

/// A number in text, in seconds of which each has so many parts.
fn milliseconds(text: &str, parts: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse::<f64>().ok()? / parts).ok()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range check makes the conversion exact enough"
)]
fn whole(number: f64) -> Option<i64> {
    (number < 1e15).then_some(number as i64)
}

/// `1s`, `6m0s`, `120ms`, `1h30m`, `1.5s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(count.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn wait_for(status: u16, headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        retry_after(&pairs.collect(), status, "2026-11-23T08:00:00Z".parse().unwrap())
    }

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        wait_for(429, headers)
    }

    const fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        assert_eq!(wait(&[("retry-after", "3")]), seconds(3));
        assert_eq!(
            wait(&[("retry-after", "3"), ("retry-after-ms", "250")]),
            Some(Duration::from_millis(250))
        );
        let dates = [
            ("date", "Mon, 23 Nov 2026 09:00:00 GMT"),
            ("retry-after", "Mon, 23 Nov 2026 09:01:30 GMT"),
        ];
        assert_eq!(wait(&dates), seconds(90));
        assert_eq!(
            wait(&[("retry-after", "Mon, 23 Nov 2026 08:00:05 GMT")]),
            seconds(5),
            "the local clock"
        );
        assert_eq!(
            wait(&[("retry-after", "Mon, 23 Nov 2026 07:00:00 GMT")]),
            seconds(0),
            "past already"
        );
        for nonsense in ["-1", "NaN", "soon", "1e400", "", "5 apples"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn limits_that_were_reached_tell_when_they_are_free_again() {
        let openai = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-remaining-tokens", "41"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ];
        assert_eq!(wait(&openai), Some(Duration::from_millis(120)));
        assert_eq!(wait(&[("x-ratelimit-reset-tokens", "6m0s")]), seconds(360));
        let anthropic = [
            ("anthropic-ratelimit-requests-remaining", "12"),
            ("anthropic-ratelimit-requests-reset", "2026-11-23T08:10:00Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-23T08:00:07Z"),
        ];
        assert_eq!(wait(&anthropic), seconds(7));
        assert_eq!(wait(&[("x-ratelimit-reset", "1795420809000")]), seconds(9));
        assert_eq!(wait(&[("x-ratelimit-reset", "1795420809")]), seconds(9));
        assert_eq!(wait(&[("x-ratelimit-reset", "4")]), seconds(4));
        assert_eq!(wait_for(400, &openai), None, "no limit was reached");
        let named = [("retry-after", "1"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(wait(&named), seconds(1));
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(duration("1h1m1.5s"), Some(Duration::from_millis(3_661_500)));
        for nonsense in ["", "s", "1", "1x", "1s2", "..s"] {
            assert_eq!(duration(nonsense), None, "{nonsense}");
        }
    }
}
