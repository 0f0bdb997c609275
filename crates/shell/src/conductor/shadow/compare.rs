//! Whether two backends answered alike.
//!
//! As a page sees it: members of objects have no order, `1` is `1.0`, and numbers are equal or not, without a tolerance. Errors
//! are alike when code and details are; their texts are for people. Raw bytes are alike when they are the same.

use serde_json::Value;
use staysail_protocol::CallError;
use staysail_protocol::limits::{SHADOW_CALL_BYTES_MAX, SHADOW_DIFFERENCES_TOLD_MAX, SHADOW_VALUE_BYTES_MAX};
use staysail_protocol::notice::Difference;
use staysail_protocol::shadow::Pattern;

/// What a call ended with: its body and whether that is raw bytes, or an error.
pub type Answer = Result<(Vec<u8>, bool), CallError>;

/// The differences between two answers of a command, but for places that are ignored; the first ones, when they are many.
pub fn compare(command: &str, before: &Answer, now: &Answer, ignored: &[Pattern]) -> Vec<Difference> {
    let mut walk = Walk { command, ignored, path: Vec::new(), found: Vec::new() };
    match (before, now) {
        (Ok((before, false)), Ok((now, false))) => {
            // Most are the same to the byte. One that is far longer than any that is copied is not even read.
            if now.len() > SHADOW_CALL_BYTES_MAX {
                walk.found(text_of(before), text_of(now));
            } else if before != now {
                match (serde_json::from_slice(before), serde_json::from_slice(now)) {
                    (Ok(before), Ok(now)) => walk.values(Some(&before), Some(&now)),
                    _ => walk.found(text_of(before), text_of(now)),
                }
            }
        }
        (Ok((before, true)), Ok((now, true))) if before == now => {}
        (Err(before), Err(now)) if before.code == now.code => {
            walk.path.push("details".into());
            walk.values(Some(&before.details), Some(&now.details));
        }
        _ => walk.found(whole(before), whole(now)),
    }
    walk.found
}

/// What is told of a call that only the backend before answered.
pub fn no_answer(command: &str, before: &Answer, after_ms: f64) -> Difference {
    let now = format!("no answer after {after_ms:.0} ms");
    Difference { command: command.into(), path: String::new(), before: cut(whole(before)), now }
}

/// An answer in a few words.
fn whole(answer: &Answer) -> String {
    match answer {
        Ok((body, true)) => {
            // Names the content: two of one length would look alike.
            let sum = body.iter().fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
            format!("{} raw bytes ({sum:08x})", body.len())
        }
        Ok((body, false)) => text_of(body),
        Err(error) => format!("{error}"),
    }
}

fn text_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(2 * SHADOW_VALUE_BYTES_MAX)]).into_owned()
}

fn cut(mut text: String) -> String {
    if text.len() > SHADOW_VALUE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SHADOW_VALUE_BYTES_MAX - '…'.len_utf8()));
        text.push('…');
    }
    text
}

struct Walk<'a> {
    command: &'a str,
    ignored: &'a [Pattern],
    path: Vec<String>,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn found(&mut self, before: String, now: String) {
        let escape = |part: &String| format!("/{}", part.replace('~', "~0").replace('/', "~1"));
        let path = self.path.iter().map(escape).collect();
        let (command, before, now) = (self.command.into(), cut(before), cut(now));
        self.found.push(Difference { command, path: cut(path), before, now });
    }

    /// What is at this place in both. serde_json reads values of a bounded depth.
    fn values(&mut self, before: Option<&Value>, now: Option<&Value>) {
        if self.found.len() >= SHADOW_DIFFERENCES_TOLD_MAX
            || !self.path.is_empty()
                && self.ignored.iter().any(|pattern| pattern.matches(self.command, &self.path))
        {
            return;
        }
        match (before, now) {
            (Some(Value::Object(before)), Some(Value::Object(now))) => {
                for (key, value) in before {
                    self.step(key.clone(), Some(value), now.get(key));
                }
                for (key, value) in now.iter().filter(|(key, _)| !before.contains_key(*key)) {
                    self.step(key.clone(), None, Some(value));
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(now))) => {
                for at in 0..before.len().max(now.len()) {
                    self.step(at.to_string(), before.get(at), now.get(at));
                }
            }
            (Some(before), Some(now)) if same(before, now) => {}
            _ => {
                let text = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();
                self.found(text(before), text(now));
            }
        }
    }

    fn step(&mut self, part: String, before: Option<&Value>, now: Option<&Value>) {
        self.path.push(part);
        self.values(before, now);
        self.path.pop();
    }
}

/// Of values that are no two objects and no two arrays.
fn same(before: &Value, now: &Value) -> bool {
    match (before, now) {
        (Value::Number(before), Value::Number(now)) if before.is_f64() || now.is_f64() => {
            before.as_f64() == now.as_f64()
        }
        _ => before == now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};
    use staysail_protocol::ErrorCode;

    fn answer(value: &Value) -> Answer {
        Ok((value.to_string().into_bytes(), false))
    }

    fn differences(before: &str, now: &str, ignored: &[&str]) -> Vec<String> {
        let patterns: Vec<_> = ignored.iter().map(|pattern| Pattern::parse(pattern).unwrap()).collect();
        let [before, now] = [before, now].map(|text| Ok((text.as_bytes().to_vec(), false)));
        let found = compare("look", &before, &now, &patterns);
        found.into_iter().map(|one| format!("{}: {} {}", one.path, one.before, one.now)).collect()
    }

    #[test]
    fn an_answer_that_is_far_too_long_is_a_difference_as_a_whole_and_is_not_read() {
        // The same to a page, so whoever reads it finds no difference.
        let long = format!("1{}", " ".repeat(SHADOW_CALL_BYTES_MAX));
        assert_eq!(differences("1", &long[..SHADOW_CALL_BYTES_MAX], &[]), [""; 0]);
        assert_eq!(differences("1", &long, &[]).len(), 1);
    }

    #[test]
    fn answers_are_compared_by_what_a_page_sees_of_them() {
        for (before, now) in [
            (r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1, 2], "a": 1 }"#),
            ("1", "1.0"),
            ("0.1", "0.10"),
            (r#""\u00e4""#, "\"ä\""),
            ("no JSON", "no JSON"),
        ] {
            assert_eq!(differences(before, now, &[]), [""; 0], "{before} {now}");
        }
        for (before, now, expected) in [
            ("0.1", "0.10000000000000002", ": 0.1 0.10000000000000002"),
            ("9007199254740993", "9007199254740992", ": 9007199254740993 9007199254740992"),
            (r#"{"a":null}"#, "{}", "/a: null "),
            ("{}", r#"{"a/b":1}"#, "/a~1b:  1"),
            ("[1,2]", "[2,1]", "/0: 1 2"),
            ("[1]", "[1,{}]", "/1:  {}"),
            ("[]", "{}", ": [] {}"),
            ("1", "no JSON", ": 1 no JSON"),
        ] {
            assert_eq!(differences(before, now, &[])[0], expected, "{before} {now}");
        }
    }

    #[test]
    fn ignored_places_are_not_looked_at_nor_what_is_below_them_nor_whether_they_are_there() {
        let before = r#"{"time":1,"rows":[{"id":1,"seen":{"at":5}},{"id":2}]}"#;
        let now = r#"{"time":2,"rows":[{"id":1,"seen":{"at":6}},{"id":2,"seen":null}]}"#;
        assert_eq!(differences(before, now, &["/time", "/rows/*/seen"]), [""; 0]);
        assert_eq!(differences(before, now, &["time", "look:seen"]), [""; 0]);
        assert_eq!(differences(before, now, &["time", "other:seen"]).len(), 2);
        assert_eq!(differences(before, now, &["/time", "*/at"]), ["/rows/1/seen:  null"]);
    }

    #[test]
    fn errors_are_alike_by_code_and_details_and_bytes_by_every_byte() {
        let error = |code, message: &str, details: Value| -> Answer {
            Err(CallError { code, message: message.into(), details })
        };
        let count = |before: &Answer, now: &Answer| compare("look", before, now, &[]).len();
        let refused = error(ErrorCode::App, "too many", json!({ "limit": 7 }));
        assert_eq!(count(&refused, &error(ErrorCode::App, "zu viele", json!({ "limit": 7 }))), 0);
        let other = compare("look", &refused, &error(ErrorCode::App, "too many", json!({ "limit": 8 })), &[]);
        assert_eq!(other[0].path, "/details/limit");
        assert_eq!(count(&refused, &error(ErrorCode::Panicked, "too many", json!({ "limit": 7 }))), 1);
        assert_eq!(count(&refused, &answer(&json!({ "limit": 7 }))), 1);
        let raw = |bytes: &[u8]| -> Answer { Ok((bytes.to_vec(), true)) };
        assert_eq!(count(&raw(b"[1]"), &raw(b"[1]")), 0);
        assert_eq!(count(&raw(b"[1]"), &raw(b"[1] ")), 1);
        assert_eq!(count(&raw(b"[1]"), &Ok((b"[1]".to_vec(), false))), 1);
        let told = &compare("look", &raw(b"[1]"), &raw(b"[2]"), &[])[0];
        assert_ne!(told.before, told.now);
    }

    #[test]
    fn what_is_told_is_bounded_however_much_differs() {
        let many: Vec<_> = (0..1_000).map(|number| json!("ü".repeat(number))).collect();
        let found = compare("look", &answer(&json!(many)), &answer(&json!(vec![0; 1_000])), &[]);
        assert_eq!(found.len(), SHADOW_DIFFERENCES_TOLD_MAX);
        let long = compare("look", &answer(&json!("ü".repeat(9_999))), &answer(&json!(0)), &[]);
        assert!(long[0].before.len() <= SHADOW_VALUE_BYTES_MAX && long[0].before.ends_with('…'));
    }

    /// Numbers that look random and are the same in every run (Lehmer).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0 * 48_271 % 0x7fff_ffff;
            self.0 % bound
        }

        fn value(&mut self, depth: u32) -> Value {
            match self.below(if depth == 0 { 4 } else { 6 }) {
                0 => json!(self.below(9)),
                1 => json!(self.below(9) as f64 / 4.0),
                2 => json!(["", "a", "ü/~"][self.below(3) as usize]),
                3 => [json!(null), json!(true)][self.below(2) as usize].clone(),
                4 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
                _ => Value::Object(
                    (0..self.below(4)).map(|key| (format!("k/{key}"), self.value(depth - 1))).collect(),
                ),
            }
        }

        /// A place of a value that is neither array nor object.
        fn leaf<'a>(&mut self, value: &'a mut Value, path: &mut String) -> Option<&'a mut Value> {
            match value {
                Value::Array(items) if items.is_empty() => None,
                Value::Array(items) => {
                    let at = self.below(items.len() as u64) as usize;
                    *path += &format!("/{at}");
                    self.leaf(&mut items[at], path)
                }
                Value::Object(members) if members.is_empty() => None,
                Value::Object(members) => {
                    let at = self.below(members.len() as u64) as usize;
                    let (key, value) = members.iter_mut().nth(at)?;
                    *path += &format!("/{}", key.replace('/', "~1"));
                    self.leaf(value, path)
                }
                leaf => Some(leaf),
            }
        }
    }

    /// The same with the members of objects in another order, spread out.
    fn otherwise(value: &Value) -> String {
        match value {
            Value::Array(items) => {
                format!("[ {} ]", items.iter().map(otherwise).collect::<Vec<_>>().join(" ,"))
            }
            Value::Object(members) => {
                let write = |(key, value): (&String, &Value)| format!("{} :{}", json!(key), otherwise(value));
                let mut written: Vec<_> = members.iter().map(write).collect();
                written.reverse();
                format!("{{ {} }}", written.join(", "))
            }
            plain => plain.to_string(),
        }
    }

    #[test]
    fn any_answer_is_like_itself_however_written_and_one_changed_place_is_found_and_can_be_ignored() {
        let mut chance = Chance(1);
        let mut changed = 0;
        for _ in 0..2_000 {
            let before = chance.value(4);
            let again: Answer = Ok((otherwise(&before).into_bytes(), false));
            assert_eq!(compare("look", &answer(&before), &again, &[]), [], "{before}");
            let (mut now, mut path) = (before.clone(), String::new());
            let Some(leaf) = chance.leaf(&mut now, &mut path) else { continue };
            *leaf = Value::Object(Map::from_iter([("other".to_string(), json!(1))]));
            let found = compare("look", &answer(&before), &answer(&now), &[]);
            assert_eq!(found.iter().map(|one| &one.path).collect::<Vec<_>>(), [&path], "{before} {now}");
            if !path.is_empty() {
                let pattern = Pattern::parse(&path).unwrap();
                assert_eq!(compare("look", &answer(&before), &answer(&now), &[pattern]), [], "{path}");
            }
            changed += 1;
        }
        assert!(changed > 500, "{changed}");
    }
}
