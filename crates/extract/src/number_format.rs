//! Numbers as a spreadsheet shows them, by the format codes of ECMA-376 part 1, 18.8.30 and 18.8.31.

use std::fmt::Write as _;

use crate::format_code::{Item, Section, sections};

/// The last serial day that a date can have: 31 December 9999.
const LAST_DAY: f64 = 2_958_466.0;
/// The most decimals that are shown; a code may ask for more than a number has.
const MAX_DECIMALS: usize = 30;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// How the cells of one style show their numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumberFormat {
    /// For positive numbers, negative ones and zero, as far as the code tells them apart.
    sections: Vec<Section>,
    counts_from_1904: bool,
}

impl NumberFormat {
    /// The format that this code describes.
    pub(crate) fn new(code: &str, counts_from_1904: bool) -> Self {
        Self {
            sections: sections(code),
            counts_from_1904,
        }
    }

    /// The format with one of the ids that every spreadsheet knows; dates in American order, as Excel in English has them.
    /// None for the others, which show numbers as they are.
    pub(crate) fn built_in(id: u32, counts_from_1904: bool) -> Option<Self> {
        let code = match id {
            1 => "0",
            2 => "0.00",
            3 => "#,##0",
            4 => "#,##0.00",
            9 => "0%",
            10 => "0.00%",
            11 => "0.00E+00",
            12 => "# ?/?",
            13 => "# ??/??",
            14 => "mm/dd/yyyy",
            15 => "d-mmm-yy",
            16 => "d-mmm",
            17 => "mmm-yy",
            18 => "h:mm AM/PM",
            19 => "h:mm:ss AM/PM",
            20 => "h:mm",
            21 => "h:mm:ss",
            22 => "m/d/yyyy h:mm",
            37 | 38 => "#,##0;(#,##0)",
            39 | 40 => "#,##0.00;(#,##0.00)",
            41 | 42 => "#,##0;-#,##0;\"-\"",
            43 | 44 => "#,##0.00;-#,##0.00;\"-\"",
            45 => "mm:ss",
            46 => "[h]:mm:ss",
            47 => "mm:ss.0",
            48 => "##0.0E+0",
            _ => return None,
        };
        Some(Self::new(code, counts_from_1904))
    }

    /// The number as this format shows it.
    pub(crate) fn show(&self, number: f64) -> String {
        let (section, value, sign) = match (self.sections.as_slice(), number) {
            ([_, negative, ..], number) if number < 0.0 => (negative, -number, ""),
            ([_, _, zero, ..], number) if number == 0.0 => (zero, number, ""),
            ([positive, ..], number) if number < 0.0 => (positive, -number, "-"),
            ([positive, ..], number) => (positive, number, ""),
            ([], number) => return general(number),
        };
        if section.is_date {
            return match self.date(section, number) {
                Some(date) => date,
                None => general(number),
            };
        }
        let shown = section.number(value);
        // A number that rounds to nothing has no sign.
        if sign.is_empty() || !shown.contains(|character: char| matches!(character, '1'..='9')) {
            shown
        } else {
            format!("{sign}{shown}")
        }
    }

    fn date(&self, section: &Section, serial: f64) -> Option<String> {
        if !(0.0..LAST_DAY).contains(&serial) {
            return None;
        }
        let fraction_digits = section.second_decimals();
        // Whole units of the smallest that is shown, so that 59.9999 seconds do not become 60.
        let scale = 10_f64.powi(i32::try_from(fraction_digits).ok()?);
        let units = (serial * 86_400.0 * scale).round();
        let seconds = (units / scale).floor();
        let fraction = units - seconds * scale;
        let days = (seconds / 86_400.0).floor();
        let second = (seconds - days * 86_400.0) as u64;
        let (year, month, day) = civil(days as i64 + if self.counts_from_1904 { 1_462 } else { 0 });
        let weekday = (days as i64 + if self.counts_from_1904 { 1_462 } else { 0 } + 6).rem_euclid(7);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let has_half_day = section.items.contains(&Item::HalfDay);
        let mut text = String::new();
        let mut after_seconds = false;
        for (place, item) in section.items.iter().enumerate() {
            match item {
                Item::Literal(literal) => text.push_str(literal),
                Item::HalfDay => text.push_str(if hour < 12 { "AM" } else { "PM" }),
                Item::Slash => text.push('/'),
                Item::Comma => text.push(','),
                Item::Point if after_seconds && fraction_digits > 0 => {
                    let _ = write!(text, ".{fraction:0fraction_digits$}");
                }
                Item::Point => text.push('.'),
                Item::Date {
                    letter,
                    length,
                    elapsed,
                } => {
                    let padded = |number: u64| format!("{number:0width$}", width = (*length).min(2));
                    let total = second + (days as u64) * 86_400;
                    match (letter, length, elapsed) {
                        ('h', _, true) => text.push_str(&padded(total / 3600)),
                        ('m', _, true) => text.push_str(&padded(total / 60)),
                        ('s', _, true) => text.push_str(&padded(total)),
                        ('y', 1..=2, _) => {
                            let _ = write!(text, "{:02}", year.rem_euclid(100));
                        }
                        ('y', ..) => text.push_str(&year.to_string()),
                        ('d', 3, _) => text.push_str(named(&WEEKDAYS, weekday).get(..3)?),
                        ('d', 4.., _) => text.push_str(named(&WEEKDAYS, weekday)),
                        ('d', ..) => text.push_str(&padded(day)),
                        ('h', ..) if has_half_day => text.push_str(&padded((hour + 11) % 12 + 1)),
                        ('h', ..) => text.push_str(&padded(hour)),
                        ('s', ..) => text.push_str(&padded(second % 60)),
                        ('m', ..) if section.means_minutes(place) => text.push_str(&padded(minute)),
                        ('m', 3, _) => text.push_str(named(&MONTHS, month as i64 - 1).get(..3)?),
                        ('m', 5, _) => text.push_str(named(&MONTHS, month as i64 - 1).get(..1)?),
                        ('m', 4.., _) => text.push_str(named(&MONTHS, month as i64 - 1)),
                        _ => text.push_str(&padded(month)),
                    }
                }
                Item::Digit(_) | Item::General | Item::Percent | Item::Exponent => {}
            }
            after_seconds = matches!(item, Item::Date { letter: 's', .. });
        }
        Some(text)
    }
}

fn named<'a>(names: &[&'a str], place: i64) -> &'a str {
    usize::try_from(place)
        .ok()
        .and_then(|place| names.get(place))
        .copied()
        .unwrap_or("???")
}

/// Year, month and day of a serial day, where 1 is 1 January 1900. Day 60 is 29 February 1900, which never was:
/// spreadsheets keep that error of their ancestor.
fn civil(serial: i64) -> (i64, u64, u64) {
    match serial {
        0 => return (1900, 1, 0),
        60 => return (1900, 2, 29),
        _ => {}
    }
    // Days since 1 March of the year 0, by the method of Howard Hinnant's `civil_from_days`.
    let days = serial + 693_899 + if serial < 60 { 1 } else { 0 };
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

/// A number without a format: up to ten digits, without zeros at the end, as a cell of usual width shows it.
fn general(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-5..1e11).contains(&size) {
        let text = format!("{number:.5E}");
        let Some((digits, exponent)) = text.split_once('E') else {
            return text;
        };
        let digits = if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.')
        } else {
            digits
        };
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}E{sign}{exponent:0>2}");
    }
    let whole = if size < 1.0 {
        1
    } else {
        size.log10().floor() as usize + 1
    };
    let text = format!("{number:.*}", 10_usize.saturating_sub(whole));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

impl Section {
    /// How many decimals of a second are shown.
    fn second_decimals(&self) -> usize {
        let mut items = self.items.iter();
        while let Some(item) = items.next() {
            if matches!(item, Item::Date { letter: 's', .. }) && items.as_slice().first() == Some(&Item::Point) {
                let digits = items.as_slice().iter().skip(1);
                return digits.take_while(|item| matches!(item, Item::Digit(_))).count().min(9);
            }
        }
        0
    }

    /// Whether an `m` stands for minutes: after hours or before seconds.
    fn means_minutes(&self, place: usize) -> bool {
        let letter = |item: &Item| match item {
            Item::Date { letter, .. } => Some(*letter),
            _ => None,
        };
        let before = self.items.iter().take(place).rev().find_map(letter);
        let after = self.items.iter().skip(place + 1).find_map(letter);
        before == Some('h') || after == Some('s')
    }

    /// A number that is not negative.
    fn number(&self, number: f64) -> String {
        if self.items.contains(&Item::General) || self.items.contains(&Item::Slash) {
            return self.around(&general(number));
        }
        let first_digit = self.items.iter().position(|item| matches!(item, Item::Digit(_)));
        let Some(last_digit) = self.items.iter().rposition(|item| matches!(item, Item::Digit(_))) else {
            return self.around("");
        };
        let percents = self.items.iter().filter(|item| **item == Item::Percent).count();
        // Commas after the last digit divide by a thousand each.
        let thousands = self
            .items
            .iter()
            .skip(last_digit + 1)
            .take_while(|item| **item == Item::Comma)
            .count();
        let scaled = number * 100_f64.powi(percents.min(9) as i32) / 1000_f64.powi(thousands.min(9) as i32);
        let point = self
            .items
            .iter()
            .position(|item| *item == Item::Point)
            .unwrap_or(usize::MAX);
        let exponent = self
            .items
            .iter()
            .position(|item| *item == Item::Exponent)
            .unwrap_or(usize::MAX);
        let digits = |from: usize, to: usize| {
            let items = self.items.iter().enumerate();
            items.filter(move |(place, item)| (from..to).contains(place) && matches!(item, Item::Digit(_)))
        };
        let decimals = if point == usize::MAX {
            0
        } else {
            digits(point, exponent).count().min(MAX_DECIMALS)
        };
        let optional = digits(point.min(exponent), exponent)
            .rev()
            .take_while(|(_, item)| **item != Item::Digit('0'))
            .count();
        let before = digits(0, point.min(exponent));
        let least = before.skip_while(|(_, item)| **item != Item::Digit('0')).count();
        let groups = self.items.iter().enumerate().any(|(place, item)| {
            *item == Item::Comma && first_digit.is_some_and(|first| place > first) && place < last_digit
        });

        let shown = if exponent == usize::MAX {
            decimal(scaled, decimals, optional, least, groups)
        } else {
            let text = format!("{scaled:.decimals$E}");
            let (mantissa, power) = text.split_once('E').unwrap_or((&text, "0"));
            let power: i32 = power.parse().unwrap_or_default();
            let sign = if power < 0 { '-' } else { '+' };
            let width = digits(exponent, usize::MAX).count();
            format!("{mantissa}E{sign}{:0width$}", power.unsigned_abs())
        };
        self.around(&shown)
    }

    /// The literals of the section with the number where its digits stand. Literals between digits are left out.
    fn around(&self, number: &str) -> String {
        let is_number = |item: &Item| {
            matches!(
                item,
                Item::Digit(_) | Item::Point | Item::Exponent | Item::General | Item::Slash
            )
        };
        let first = self.items.iter().position(is_number).unwrap_or(self.items.len());
        let last = self.items.iter().rposition(is_number).unwrap_or(first);
        let mut text = String::new();
        for (place, item) in self.items.iter().enumerate() {
            match item {
                _ if place == first => text.push_str(number),
                _ if (first..=last).contains(&place) => {}
                Item::Literal(literal) => text.push_str(literal),
                Item::Percent => text.push('%'),
                _ => {}
            }
        }
        text
    }
}

/// A number with `decimals` decimals, the last `optional` of which are left out where they are zeros, at least `least`
/// digits before the point, and commas between groups of three if wanted.
fn decimal(number: f64, decimals: usize, optional: usize, least: usize, groups: bool) -> String {
    let text = format!("{:.decimals$}", round(number, decimals));
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let zeros = fraction.len() - fraction.trim_end_matches('0').len();
    let fraction = fraction.get(..fraction.len() - zeros.min(optional)).unwrap_or_default();
    let whole = if whole == "0" { "" } else { whole };
    let whole = format!("{whole:0>least$}");
    let mut shown = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if groups && place > 0 && (whole.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if decimals > 0 {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

/// Rounds halves away from zero, as spreadsheets do, and not by the binary digits beyond: 1.005 is shown as 1.01.
fn round(number: f64, decimals: usize) -> f64 {
    let Some(scale) = i32::try_from(decimals).ok().map(|decimals| 10_f64.powi(decimals)) else {
        return number;
    };
    let scaled = number * scale;
    if scaled < 1e15 {
        (scaled * (1.0 + 1e-15)).round() / scale
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_in_a_cell() {
        let cases = [
            ("General", 1234.5, "1234.5"),
            ("General", 0.1 + 0.2, "0.3"),
            ("General", 123_456_789_012.0, "1.23457E+11"),
            ("General", -7.0, "-7"),
            ("0", 2.5, "3"),
            ("0.00", 1.005, "1.01"),
            ("#,##0", 1_234_567.0, "1,234,567"),
            ("#,##0.00", -1234.5, "-1,234.50"),
            ("0.0#", 1.5, "1.5"),
            ("#.##", 0.25, ".25"),
            ("0%", 0.256, "26%"),
            ("0.0%", -0.256, "-25.6%"),
            ("000", 7.0, "007"),
            ("0.00E+00", 12_345.0, "1.23E+04"),
            ("#,##0,", 1_234_567.0, "1,235"),
            ("\"EUR\" #,##0.00", 12.0, "EUR 12.00"),
            ("[$€-407] #,##0", 5.0, "€ 5"),
            ("#,##0;(#,##0)", -5.0, "(5)"),
            ("#,##0.0;[Red]-#,##0.0;\"none\"", 0.0, "none"),
            ("0", -0.2, "0"),
            ("yyyy-mm-dd", 44_927.0, "2023-01-01"),
            ("d.m.yyyy", 59.0, "28.2.1900"),
            ("d.m.yyyy", 61.0, "1.3.1900"),
            ("mm/dd/yyyy", 36_585.0, "02/29/2000"),
            ("d-mmm-yy", 43_831.0, "1-Jan-20"),
            ("dddd, mmmm d", 43_831.0, "Wednesday, January 1"),
            ("h:mm AM/PM", 0.5, "12:00 PM"),
            ("hh:mm:ss", 0.999_999, "00:00:00"),
            ("mm:ss.0", 0.000_01, "00:00.9"),
            ("[h]:mm", 1.5, "36:00"),
        ];
        for (code, number, shown) in cases {
            assert_eq!(NumberFormat::new(code, false).show(number), shown, "{code} {number}");
        }
        assert_eq!(NumberFormat::new("yyyy-mm-dd", true).show(0.0), "1904-01-01");
    }
}
