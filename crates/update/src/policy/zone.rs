//! Offsets from universal time by rules in POSIX `TZ` form, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
//!
//! A release carries the rules of the zones it names, so the shell needs no time zone database. Accepted are the forms of
//! POSIX and of RFC 8536 (hours up to 167, negative ones too).

const DAY_S: i64 = 86_400;

/// Offsets are less than 25 hours, times of rules at most 167 (RFC 8536, 3.3.1).
const OFFSET_HOURS_MAX: i64 = 24;
const RULE_HOURS_MAX: i64 = 167;

/// The rules of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    standard_s: i64,
    summer: Option<Summer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset_s: i64,
    begins: Change,
    ends: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: Day,
    /// Seconds after the midnight the day begins with, in the time that ends.
    time_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1 to 365, the 29th of February is never counted.
    WithoutLeap(i64),
    /// `n`: 0 to 365, it is counted.
    OfYear(i64),
    /// `Mm.w.d`: the `week`th `weekday` (Sunday is 0) of the month, 5 for the last.
    OfMonth { month: i64, week: i64, weekday: i64 },
}

impl Zone {
    /// Reads rules; `None` when they are none.
    ///
    /// ```
    /// use staysail_update::policy::Zone;
    /// let berlin = Zone::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    /// assert_eq!((berlin.offset_s(1_767_225_600), berlin.offset_s(1_782_864_000)), (3_600, 7_200));
    /// ```
    pub fn parse(rules: &str) -> Option<Self> {
        let mut rest = rules;
        skip_name(&mut rest)?;
        let standard_s = -time(&mut rest, OFFSET_HOURS_MAX)?;
        if rest.is_empty() {
            return Some(Self { standard_s, summer: None });
        }
        skip_name(&mut rest)?;
        let offset_s =
            if rest.starts_with(',') { standard_s + 3_600 } else { -time(&mut rest, OFFSET_HOURS_MAX)? };
        let begins = change(&mut rest)?;
        let ends = change(&mut rest)?;
        let summer = Some(Summer { offset_s, begins, ends });
        rest.is_empty().then_some(Self { standard_s, summer })
    }

    /// Seconds that local time is ahead of universal time at a moment (seconds since 1970).
    pub fn offset_s(&self, now_s: i64) -> i64 {
        let Some(summer) = &self.summer else { return self.standard_s };
        let (year, _, _) = date_of((now_s + self.standard_s).div_euclid(DAY_S));
        // Whatever began last holds; at the same moment the beginning of summer time does, so that it can last all year.
        let changes = (year - 1..=year + 1).flat_map(|year| {
            let begins = summer.begins.at(year) - self.standard_s;
            let ends = summer.ends.at(year) - summer.offset_s;
            [(begins, true), (ends, false)]
        });
        let is_summer = changes.filter(|(at, _)| *at <= now_s).max().is_some_and(|(_, summer)| summer);
        if is_summer { summer.offset_s } else { self.standard_s }
    }
}

impl Change {
    /// Seconds since 1970 on the clock that shows the time that ends.
    fn at(self, year: i64) -> i64 {
        let day = match self.day {
            Day::OfYear(day) => day_of(year, 1, 1) + day,
            Day::WithoutLeap(day) => {
                let leap = day_of(year, 3, 1) - day_of(year, 1, 1) == 60;
                day_of(year, 1, 1) + day - 1 + i64::from(leap && day >= 60)
            }
            Day::OfMonth { month, week, weekday } => {
                let first = day_of(year, month, 1);
                let next = if month == 12 { day_of(year + 1, 1, 1) } else { day_of(year, month + 1, 1) };
                let day = first + (weekday - weekday_of(first)).rem_euclid(7) + (week - 1) * 7;
                if day >= next { day - 7 } else { day }
            }
        };
        day * DAY_S + self.time_s
    }
}

/// The weekday of a day since 1970; Sunday is 0.
pub(crate) fn weekday_of(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// Days since 1970 of a date (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day since 1970.
fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = year_of_era + day.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * months + 2) / 5 + 1)
}

fn skip_name(rest: &mut &str) -> Option<()> {
    let length = if let Some(quoted) = rest.strip_prefix('<') {
        let name = quoted.find('>')?;
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-');
        (name >= 3 && quoted.as_bytes()[..name].iter().all(|c| plain(*c))).then_some(name + 2)?
    } else {
        let name = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        (name >= 3).then_some(name)?
    };
    *rest = &rest[length..];
    Some(())
}

fn number(rest: &mut &str, least: i64, most: i64) -> Option<i64> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..digits].parse().ok().filter(|number| (least..=most).contains(number))?;
    *rest = &rest[digits..];
    Some(number)
}

fn eat(rest: &mut &str, sign: char) -> bool {
    let after = rest.strip_prefix(sign);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

/// `[+-]hh[:mm[:ss]]` in seconds.
fn time(rest: &mut &str, hours_max: i64) -> Option<i64> {
    let sign = if eat(rest, '-') {
        -1
    } else {
        eat(rest, '+');
        1
    };
    let mut seconds = number(rest, 0, hours_max)? * 3_600;
    if eat(rest, ':') {
        seconds += number(rest, 0, 59)? * 60;
        if eat(rest, ':') {
            seconds += number(rest, 0, 59)?;
        }
    }
    Some(sign * seconds)
}

fn change(rest: &mut &str) -> Option<Change> {
    if !eat(rest, ',') {
        return None;
    }
    let day = if eat(rest, 'J') {
        Day::WithoutLeap(number(rest, 1, 365)?)
    } else if eat(rest, 'M') {
        let month = number(rest, 1, 12)?;
        let week = eat(rest, '.').then(|| number(rest, 1, 5)).flatten()?;
        let weekday = eat(rest, '.').then(|| number(rest, 0, 6)).flatten()?;
        Day::OfMonth { month, week, weekday }
    } else {
        Day::OfYear(number(rest, 0, 365)?)
    };
    let time_s = if eat(rest, '/') { time(rest, RULE_HOURS_MAX)? } else { 2 * 3_600 };
    Some(Change { day, time_s })
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
