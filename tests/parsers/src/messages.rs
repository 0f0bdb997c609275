//! Messages in JSON: what was read can be written and read again, and is the same then.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use staysail_protocol::bridge::{PageReport, split};
use staysail_protocol::desktop::{self, parts};
use staysail_protocol::interface::Description;
use staysail_protocol::worker::UpdateWish;
use staysail_protocol::{control, notice, worker};

/// Reads, writes, reads and compares. Whether it was read.
fn round<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<T>(bytes) else { return false };
    let written = serde_json::to_vec(&message).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    let value = |message: &T| serde_json::to_value(message).expect("what was read can be written");
    assert!(same(&value(&message), &value(&again)), "another message after writing it");
    true
}

/// Equal, with the last digit of a fraction left out: serde_json reads it to within one.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            (a - b).abs() <= a.abs().max(b.abs()) * 1e-14
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Requests of pages, and their payloads.
pub fn bridge(bytes: &[u8]) -> bool {
    let payload_is_known = round::<PageReport>(bytes) | round::<UpdateWish>(bytes);
    let Ok((request, payload)) = split(bytes) else { return payload_is_known };
    assert!(bytes.ends_with(payload), "the payload is not what was sent");
    let mut again = serde_json::to_vec(&request).expect("what was read can be written");
    assert!(!again.contains(&b'\n'), "a head of two lines");
    again.push(b'\n');
    again.extend_from_slice(payload);
    assert_eq!(split(&again), Ok((request, payload)));
    true
}

/// Messages between shell and worker.
pub fn worker(bytes: &[u8]) -> bool {
    round::<worker::ToWorker>(bytes) | round::<worker::ToShell>(bytes)
}

/// Messages between development tool and shell.
pub fn control(bytes: &[u8]) -> bool {
    round::<control::ToShell>(bytes) | round::<control::ToTool>(bytes)
}

/// What an app says of itself, and what a server announces.
pub fn describe(bytes: &[u8]) -> bool {
    if let Ok(description) = serde_json::from_slice::<Description>(bytes) {
        // A part of the interface hash: the same each time.
        assert_eq!(description.interface_text(), description.interface_text());
    }
    round::<Description>(bytes) | round::<notice::UpdateNotice>(bytes) | round::<notice::UpdateEvent>(bytes)
}

/// Native features: a line with the name, then the arguments.
pub fn desktop(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (Ok(name), arguments) =
        (std::str::from_utf8(&bytes[..end]), bytes.get(end + 1..).unwrap_or_default())
    else {
        return false;
    };
    let Some((group, operation)) = parts(name) else { return false };
    match group {
        "clipboard" => feature::<desktop::clipboard::ClipboardRequest>(operation, arguments),
        "dialog" => feature::<desktop::dialog::DialogRequest>(operation, arguments),
        "fs" => feature::<desktop::fs::FsRequest>(operation, arguments),
        "menu" => {
            if let Ok(items) = serde_json::from_slice::<Vec<desktop::menu::MenuItem>>(arguments) {
                // Whatever it says of them; and a menu has its own shape.
                let _ = desktop::menu::check(&items);
                assert!(desktop::menu::same_shape(&items, &items));
            }
            feature::<desktop::menu::MenuRequest>(operation, arguments)
        }
        "notification" => feature::<desktop::notification::NotificationRequest>(operation, arguments),
        "opener" => feature::<desktop::opener::OpenerRequest>(operation, arguments),
        "window" => feature::<desktop::window::WindowRequest>(operation, arguments),
        _ => false,
    }
}

fn feature<R: Serialize + DeserializeOwned>(operation: &str, arguments: &[u8]) -> bool {
    match desktop::read::<R>(operation, arguments) {
        Ok(request) => {
            let written = serde_json::to_value(&request).expect("what was read can be written");
            assert_eq!(written["op"], operation, "another operation than was asked for");
            round::<R>(&serde_json::to_vec(&written).expect("JSON of JSON"))
        }
        Err(why) => {
            assert!(!why.is_empty(), "refused without a word");
            false
        }
    }
}
