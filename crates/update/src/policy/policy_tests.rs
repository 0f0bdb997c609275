//! Expressions: what they come to, what is refused and how, and that they mean what CEL says.

use super::*;
use std::time::Duration;

fn facts() -> Facts {
    Facts {
        // 2026-11-28 is a Saturday; 12:34:56 universal time.
        now_s: 1_795_869_296,
        local_offset_s: Some(-7_200),
        idle: Some(Duration::from_secs(400)),
        load_per_core: Some(0.25),
        on_battery: Some(true),
        battery_percent: Some(80),
        metered: None,
        free_disk_bytes: Some(5_000_000_000),
        app_version: "1.4.0-beta.2".into(),
        custom: BTreeMap::from([
            ("editing".into(), CustomValue::Bool(true)),
            ("users".into(), CustomValue::Int(3)),
            ("site".into(), CustomValue::Text("Kiel".into())),
        ]),
        at_work: false,
    }
}

fn zones() -> BTreeMap<String, String> {
    BTreeMap::from([("Europe/Berlin".into(), "CET-1CEST,M3.5.0,M10.5.0/3".into())])
}

fn come_to(text: &str) -> Verdict {
    verdict(Some(text), &zones(), &facts())
}

#[test]
fn conditions_come_to_true_or_false_by_the_facts() {
    for (text, wanted) in [
        ("idle > duration('5m')", true),
        ("idle >= duration('6m40s') && idle < duration('6m41s')", true),
        ("load_per_core < 1", true),
        ("!on_battery || battery_percent >= 80", true),
        ("free_disk > 2 * 1024 * 1024 * 1024", true),
        ("app_version < version('1.4.0')", true),
        ("app_version > version('1.4.0-beta.1+build.9')", true),
        ("hour == 10 && minute == 34 && weekday == 'Sat'", true),
        ("weekday in ['Sat', 'Sun']", true),
        ("within('10:34', '10:35')", true),
        ("within('22:00', '06:00')", false),
        ("within('Fri 22:00', 'Sat 10:35')", true),
        ("within('13:34', '13:35', 'Europe/Berlin')", true),
        ("custom.editing ? false : true", false),
        ("custom.users in [1, 2, 3] && custom.site == 'K' + \"iel\"", true),
        ("-custom.users == -3 && -(-3) == 3 && --3 == 3", true),
        ("metered && false", false),
        ("true || metered", true),
        ("1 / 0 == 1 || true", true),
        ("1 + 2 * 3 - 4 / 2 % 3 == 5", true),
        ("1 < 2 == true", true),
        ("-9223372036854775808 < 0 && 0x10 == 16 && 1.5e1 == 15 && .5 < 1", true),
        ("'\\u00e4\\x41\\101\\n' == 'äAA\\n'", true),
        ("[1, [2.0]] == [1.0, [2]] && [1] != ['1']", true),
    ] {
        assert_eq!(come_to(text), if wanted { Verdict::True } else { Verdict::False }, "{text}");
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn what_can_not_be_told_says_why_and_a_missing_fact_goes_before_an_error() {
    for (text, part) in [
        ("metered", "`metered`"),
        ("!metered && 1 / 0 == 1", "`metered`"),
        ("1 / 0 == 1 || metered", "`metered`"),
        ("custom.nobody", "custom.nobody"),
        ("of_a_later_version", "of_a_later_version"),
        ("later('x')", "`later`"),
        ("within('1:00', '2:00', 'Mars/Olympus')", "Mars/Olympus"),
        ("1 / 0 == 1", "division by zero"),
        ("5 % 0 == 1", "division by zero"),
        ("9223372036854775807 + 1 > 0", "too large"),
        ("-9223372036854775808 / -1 > 0", "too large"),
        ("-(-9223372036854775808) > 0", "too large"),
        ("custom.users + 1.0 > 2.0", "a whole number and a number with a point"),
        ("custom.site && true", "a text"),
        ("1 + 1", "a whole number"),
        ("idle >", "at byte 6"),
    ] {
        let Verdict::Unknown(why) = come_to(text) else { panic!("{text}") };
        assert!(why.contains(part), "{text}: {why}");
    }
    assert_eq!(verdict(None, &zones(), &facts()), Verdict::True);
}

#[test]
fn a_fault_shows_its_place_and_what_to_do() {
    let text = "hour > 6 && idel > duration('5m')";
    let shown = check(text).unwrap_err().show(text);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], "column 13: there is no fact `idel`");
    assert_eq!(lines[1], format!("  {text}"));
    assert!(lines[2].starts_with("              ^ Did you mean `idle`? Known are idle, "), "{shown}");
}

#[test]
fn what_could_never_work_is_refused_at_its_place() {
    for (text, at, part) in [
        ("", 0, "ends too early"),
        ("idle", 0, "a duration"),
        ("idle > 5m", 8, "unit"),
        ("idle > '5m'", 5, "a duration and a text"),
        ("idle > duration('5 m')", 16, "no duration"),
        ("app_version > '1.0'", 12, "a version and a text"),
        ("version('1.0') < app_version", 8, "no version"),
        ("load_per_core * 2 < 1", 14, "a number with a point and a whole number"),
        ("hour = 3", 5, "compares nothing"),
        ("metered & true", 8, "single"),
        ("(metered", 8, "`)`"),
        ("metered metered", 8, "does not go on"),
        ("weekday == 'Saturday'", 11, "no weekday"),
        ("weekday in ['Sat', 'So']", 19, "no weekday"),
        ("hour in 7", 8, "a list"),
        ("hour in [7, '8']", 12, "a whole number and a text"),
        ("within('22:00')", 0, "1 arguments"),
        ("within('22:00', '22:00')", 7, "no length"),
        ("within('22:00', custom.x)", 16, "texts in quotes"),
        ("withing('22:00', '6:00')", 0, "no function"),
        ("custom.", 7, "without a name"),
        ("custom.name.first", 11, "no fields"),
        ("duration", 0, "is a function"),
        ("hour ? true : 1", 0, "`?` needs true or false"),
        ("metered ? true : 1", 8, "true or false and a whole number"),
        ("'abc", 0, "no end"),
        ("'\\q' == 'q'", 1, "no escape"),
        ("99999999999999999999 > 1", 0, "too large"),
        ("null", 0, "word of the language"),
        ("!hour", 1, "needs true or false"),
        ("[hour] < [1]", 7, "a list and a list"),
    ] {
        let fault = check(text).expect_err(text);
        assert!(fault.at == at && fault.problem.contains(part), "{text}: {fault:?}");
        assert!(!fault.remedy.is_empty(), "{text}");
    }
}

#[test]
fn length_and_depth_are_bounded_however_they_come_about() {
    let deep = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&deep(31)).is_ok());
    for text in [
        deep(32),
        deep(900),
        format!("{}true", "!".repeat(1_900)),
        format!("1{} > 0", "+1".repeat(900)),
        format!("{}1", "true?1:".repeat(280)),
        format!("{}{}", "[".repeat(900), "]".repeat(900)),
        "duration(".repeat(200),
    ] {
        assert!(parse(&text).unwrap_err().problem.contains("expression_depth_max"), "{text}");
    }
    assert!(parse(&" ".repeat(2_001)).unwrap_err().problem.contains("expression_bytes_max"));
    assert_eq!(parse("ü").unwrap_err().at, 0);
}

#[test]
fn names_of_the_app_and_zones_are_found_wherever_they_stand() {
    let text = "custom.a ? !custom.b : within('1:00', '2:00', 'Asia/Tokyo') || -custom.c in [custom.d, 1]";
    assert_eq!(custom_names([text, "custom.a"]).into_iter().collect::<String>(), "abcd");
    assert_eq!(super::zones(text), BTreeSet::from([("Asia/Tokyo".into(), 46)]));
}

#[test]
fn durations_are_read_as_go_reads_them() {
    for (text, wanted) in [
        ("1h30m", Some(5_400_000_000_000)),
        ("1.5s", Some(1_500_000_000)),
        ("-200ms", Some(-200_000_000)),
        (".5us", Some(500)),
        ("1µs2ns", Some(1_002)),
        ("0", Some(0)),
        ("", None),
        ("5", None),
        ("s", None),
        (".s", None),
        ("1 h", None),
        ("1d", None),
        ("2562048h", None),
    ] {
        assert_eq!(duration(text), wanted, "{text}");
    }
}

/// All expressions of three operands, two operators and a choice, each operand true, false, not known or wrong. CEL's logic
/// of these four is that of two orders: the one that decides comes first, then what may decide once it is known.
#[test]
fn logic_with_what_is_unknown_or_wrong_is_that_of_two_orders() {
    const AND: &str = "fu!t";
    const OR: &str = "tu!f";
    let least = |order: &str, a: char, b: char| {
        let place = |value| order.find(value).unwrap();
        if place(a) <= place(b) { a } else { b }
    };
    let text = |value| match value {
        't' => "weekday == 'Sat'",
        'f' => "on_battery == false",
        'u' => "metered",
        _ => "1 / 0 == 1",
    };
    let is = |expression: &str| match come_to(expression) {
        Verdict::True => 't',
        Verdict::False => 'f',
        Verdict::Unknown(why) if why.contains("`metered`") => 'u',
        Verdict::Unknown(_) | Verdict::Metered => '!',
    };
    let mut cases = 0;
    for (a, b, c) in
        AND.chars().flat_map(|a| AND.chars().flat_map(move |b| AND.chars().map(move |c| (a, b, c))))
    {
        let [x, y, z] = [a, b, c].map(|value| format!("({})", text(value)));
        let negated = |value: char| match value {
            't' => 'f',
            'f' => 't',
            other => other,
        };
        for (first, before) in [("&&", AND), ("||", OR)] {
            assert_eq!(is(&format!("!{x} {first} {y}")), least(before, negated(a), b), "!{a} {first} {b}");
            for (second, after) in [("&&", AND), ("||", OR)] {
                let (left, right) =
                    (least(after, least(before, a, b), c), least(before, a, least(after, b, c)));
                assert_eq!(
                    is(&format!("({x} {first} {y}) {second} {z}")),
                    left,
                    "({a} {first} {b}) {second} {c}"
                );
                assert_eq!(
                    is(&format!("{x} {first} ({y} {second} {z})")),
                    right,
                    "{a} {first} ({b} {second} {c})"
                );
                cases += 2;
            }
        }
        let chosen = match a {
            't' => b,
            'f' => c,
            other => other,
        };
        assert_eq!(is(&format!("{x} ? {y} : {z}")), chosen, "{a} ? {b} : {c}");
    }
    assert_eq!(cases, 64 * 8);
}
