//! Rules against jiff, which reads the same form and has its own proofs.

use super::*;

/// Zones of every shape: gaps and overlaps, both hemispheres, half hours, Julian days, times out of the day, names in
/// brackets, summer time that is behind (Dublin).
const RULES: [&str; 16] = [
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "EET-2EEST,M3.4.4/50,M10.4.4/50",
    "<-03>3",
    "NST3:30NDT,M3.2.0,M11.1.0",
    "<+0545>-5:45",
    "WET0WEST,J60,J300/23:59:59",
    "WET0WEST,59,364/4",
    "AAA-3BBB-4:30,J59/1,J60/167",
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
];

fn check(rules: &str, zone: &Zone, jiff: &jiff::tz::TimeZone, now_s: i64) {
    let wanted = jiff.to_offset(jiff::Timestamp::from_second(now_s).unwrap()).seconds();
    assert_eq!(zone.offset_s(now_s), i64::from(wanted), "{rules} at {now_s}");
}

#[test]
fn every_rule_gives_the_offset_that_jiff_gives_at_and_around_every_change() {
    for rules in RULES {
        let zone = Zone::parse(rules).unwrap_or_else(|| panic!("{rules}"));
        let jiff = jiff::tz::TimeZone::posix(rules).unwrap();
        // 1995 to 2045 hold leap years, a century that is one, and every weekday a year begins with.
        let mut now_s = 788_918_400;
        while now_s < 2_366_841_600 {
            check(rules, &zone, &jiff, now_s);
            now_s += 6 * 3_600 - 7;
        }
        let Some(summer) = &zone.summer else { continue };
        for year in 1995..2045 {
            for at in [summer.begins.at(year) - zone.standard_s, summer.ends.at(year) - summer.offset_s] {
                for around in [-3_600, -1, 0, 1, 3_600] {
                    check(rules, &zone, &jiff, at + around);
                }
            }
        }
    }
}

/// The example of RFC 8536, 3.3.1; jiff 0.2 leaves summer time for hours at the turn of the year.
#[test]
fn summer_time_can_last_all_year() {
    let zone = Zone::parse("XXX3EDT4,0/0,J365/23").unwrap();
    for hour in 0..3 * 366 * 24 {
        assert_eq!(zone.offset_s(1_700_000_000 + hour * 3_600), -4 * 3_600, "{hour}");
    }
}

#[test]
fn every_day_of_four_centuries_comes_back_as_its_date() {
    let mut last = date_of(day_of(1900, 1, 1) - 1);
    for day in day_of(1900, 1, 1)..day_of(2300, 1, 1) {
        let date = date_of(day);
        assert!(date > last, "{date:?}");
        assert_eq!(day_of(date.0, date.1, date.2), day);
        last = date;
    }
    assert_eq!((weekday_of(0), weekday_of(day_of(2026, 11, 28))), (4, 6));
}

#[test]
fn what_is_no_rule_is_refused() {
    for bad in [
        "",
        "C-1",
        "CET",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-25",
        "CET-1:60",
        "CET-1CEST,J0,J365",
        "CET-1CEST,366,0",
        "<CET-1",
        "<+1>-1",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0 ",
        "CET-1 ",
        "CET-99999999999999999999",
        "é-1",
    ] {
        assert_eq!(Zone::parse(bad), None, "{bad}");
    }
}
