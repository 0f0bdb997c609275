//! Random expressions against the crate `cel`, from a fixed seed.

use super::*;
use cel::{Context, Program, Value as Theirs};

const EXPRESSIONS: usize = 2_000;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// An expression of a kind, with parentheses that the grammar may or may not need.
fn make(random: &mut Random, kind: Type, depth: usize) -> String {
    let text =
        if depth == 0 || random.below(5) == 0 { leaf(random, kind) } else { branch(random, kind, depth - 1) };
    if random.below(3) == 0 { format!("({text})") } else { text }
}

fn leaf(random: &mut Random, kind: Type) -> String {
    random
        .one(match kind {
            Type::Bool => &["true", "false"],
            Type::Int => {
                &["0", "1", "-1", "2", "7", "0x1f", "-3", "9223372036854775807", "-9223372036854775808"]
            }
            Type::Double => &["0.0", "1.0", "-1.5", "2.5", "1e3", "0.1", "7.0"],
            Type::Text => &["'a'", "\"b\"", "''", "'ab'", "'\\n\\x41'", "'ä'"],
            _ => &[
                "duration('1s')",
                "duration('1m')",
                "duration('60s')",
                "duration('1h30m')",
                "duration('-1500ms')",
            ],
        })
        .to_owned()
}

fn branch(random: &mut Random, kind: Type, depth: usize) -> String {
    let same = |random: &mut Random, signs: &[&str], kind| {
        let (left, sign) = (make(random, kind, depth), random.one(signs).to_owned());
        format!("{left} {sign} {}", make(random, kind, depth))
    };
    if random.below(6) == 0 {
        let condition = make(random, Type::Bool, depth);
        return format!("{condition} ? {} : {}", make(random, kind, depth), make(random, kind, depth));
    }
    match kind {
        Type::Bool => match random.below(6) {
            0 | 1 => same(random, &["&&", "||"], Type::Bool),
            2 => format!("!{}", leaf(random, Type::Bool)),
            3 => {
                let kind = [Type::Int, Type::Double, Type::Text][random.below(3)];
                let items: Vec<_> = (0..random.below(4)).map(|_| make(random, kind, depth)).collect();
                format!("{} in [{}]", make(random, kind, depth), items.join(", "))
            }
            _ => {
                let kind = [Type::Int, Type::Double, Type::Text, Type::Duration][random.below(4)];
                same(random, &["==", "!=", "<", "<=", ">", ">="], kind)
            }
        },
        Type::Int => same(random, &["+", "-", "*", "/", "%"], Type::Int),
        Type::Double => same(random, &["+", "-", "*", "/"], Type::Double),
        Type::Text => same(random, &["+"], Type::Text),
        _ => same(random, &["+", "-"], Type::Duration),
    }
}

fn ours(text: &str) -> Result<String, String> {
    let node = parse(text).map_err(|fault| format!("unreadable: {fault}"))?;
    let (facts, zones) = (Facts::default(), BTreeMap::new());
    match evaluate(&node, Surroundings { facts: &facts, zones: &zones }) {
        Ok(Value::Double(value)) => Ok(format!("Float({value:?})")),
        Ok(Value::Text(text)) => Ok(format!("String({text:?})")),
        Ok(other) => Ok(format!("{other:?}")),
        Err(stop) => Err(stop.why),
    }
}

fn theirs(text: &str) -> Result<String, String> {
    let program = Program::compile(text).map_err(|error| format!("unreadable: {error:?}"))?;
    match program.execute(&Context::default()) {
        Ok(Theirs::Duration(value)) => {
            Ok(format!("Duration({})", value.num_nanoseconds().unwrap_or(i64::MAX)))
        }
        Ok(other) => Ok(format!("{other:?}")),
        Err(error) => Err(format!("{error:?}")),
    }
}

#[test]
fn expressions_come_to_what_the_cel_crate_has_them_come_to() {
    let mut random = Random(0x5DEE_CE66_D1CE_4E5B);
    let (mut values, mut errors) = (0, 0);
    let mut different = Vec::new();
    for _ in 0..EXPRESSIONS {
        let text = make(&mut random, Type::Bool, 4);
        let readable =
            |result: &Result<String, String>| !result.as_ref().is_err_and(|why| why.contains("unreadable"));
        match (ours(&text), theirs(&text)) {
            (Err(ours), _) if ours.contains("_max") => {}
            (Ok(ours), Ok(theirs)) if ours == theirs => values += 1,
            (ours @ Err(_), theirs @ Err(_)) if readable(&ours) == readable(&theirs) => errors += 1,
            // What is no number compares as false in CEL's specification, and not at all in the crate.
            (Ok(_), Err(theirs)) if theirs.contains(r#"["double", "double"]"#) => {}
            (ours, theirs) => different.push(format!("{text}\n  ours   {ours:?}\n  theirs {theirs:?}")),
        }
    }
    different.sort_by_key(String::len);
    different.truncate(20);
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(values > EXPRESSIONS / 2 && errors > EXPRESSIONS / 50, "{values} {errors}");
}
