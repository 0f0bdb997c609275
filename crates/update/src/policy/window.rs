//! Windows of time: `within("22:00", "06:00")` of each day, `within("Sat 22:00", "Sun 06:00")` of each week.
//!
//! From the first moment to before the last one, over midnight and over the end of the week. The clock of the place is
//! what counts: hours that a change to summer time leaves out are in no window, and hours that come twice are in it twice.

use super::facts::{MINUTES_OF_DAY, WEEKDAYS};

/// A moment of a day, or of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    weekday: Option<i64>,
    minute: i64,
}

/// Whether a minute of the week (Sunday's first is 0) lies between two moments.
///
/// # Errors
/// A sentence when the two are no window.
pub(super) fn contains(from: &str, to: &str, minute: i64) -> Result<bool, String> {
    let (from, to) = (moment(from)?, moment(to)?);
    let (from, to, minute) = match (from.weekday, to.weekday) {
        (None, None) => (from.minute, to.minute, minute % MINUTES_OF_DAY),
        (Some(first), Some(last)) => {
            (first * MINUTES_OF_DAY + from.minute, last * MINUTES_OF_DAY + to.minute, minute)
        }
        _ => return Err("a window has a weekday at both ends, or at none".into()),
    };
    if from == to {
        return Err("this window has no length".into());
    }
    Ok(if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to })
}

fn moment(text: &str) -> Result<Moment, String> {
    let wrong = || format!("{text:?} is no time of the form \"22:00\" or \"Sat 22:00\"");
    let (weekday, clock) = match text.split_once(' ') {
        Some((day, clock)) => {
            let day = WEEKDAYS.iter().position(|known| *known == day).ok_or_else(wrong)?;
            (i64::try_from(day).ok(), clock)
        }
        None => (None, text),
    };
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let clock = clock.split_once(':').filter(|(_, minutes)| minutes.len() == 2);
    let minute = clock.and_then(|(hours, minutes)| {
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (minutes < 60 && hours * 60 + minutes <= MINUTES_OF_DAY).then_some(hours * 60 + minutes)
    });
    Ok(Moment { weekday, minute: minute.ok_or_else(wrong)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every minute of a week against a walk from the beginning of the window to its end.
    #[test]
    fn a_window_holds_the_minutes_one_walks_through_from_its_beginning_to_its_end() {
        let week = 7 * MINUTES_OF_DAY;
        for (from, to, begin, length) in [
            ("Sat 22:00", "Sun 06:00", 6 * 1440 + 1320, 480),
            ("Mon 00:00", "Mon 24:00", 1440, 1440),
            ("Wed 12:30", "Wed 12:29", 3 * 1440 + 750, week - 1),
            ("Sun 00:00", "Sat 24:00", 0, week),
        ] {
            let mut inside = vec![false; usize::try_from(week).unwrap()];
            for step in 0..length {
                inside[usize::try_from((begin + step) % week).unwrap()] = true;
            }
            for (minute, inside) in (0..).zip(inside) {
                assert_eq!(contains(from, to, minute), Ok(inside), "{from} {to} {minute}");
            }
        }
        for minute in 0..week {
            let of_day = minute % 1440;
            assert_eq!(contains("22:00", "6:00", minute), Ok(!(360..1320).contains(&of_day)));
            assert_eq!(contains("09:05", "17:00", minute), Ok((545..1020).contains(&of_day)));
        }
    }

    #[test]
    fn what_is_no_window_says_why() {
        for (from, to) in [
            ("22:00", "22:00"),
            ("22", "23:00"),
            ("22:0", "23:00"),
            ("24:01", "1:00"),
            ("Sat 22:00", "06:00"),
            ("Saturday 22:00", "Sun 06:00"),
            ("22:60", "23:00"),
            ("-1:00", "2:00"),
            ("", "2:00"),
            ("022:00", "2:00"),
        ] {
            assert!(contains(from, to, 0).is_err(), "{from} {to}");
        }
    }
}
