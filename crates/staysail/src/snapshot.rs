//! The declared state of an app as it travels: MessagePack, a map from state name to `{version, value}`.
//!
//! Values are cut out as bytes and put in as bytes, so that a worker hands on states it does not know untouched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// One state in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Version the app gave the state's type.
    pub version: u32,
    /// MessagePack of the value.
    pub value: Cow<'a, [u8]>,
}

impl Entry<'_> {
    /// The same, of its own.
    pub fn into_owned(self) -> Entry<'static> {
        Entry { version: self.version, value: Cow::Owned(self.value.into_owned()) }
    }
}

/// All states by name.
pub type Entries<'a> = BTreeMap<String, Entry<'a>>;

/// How a snapshot of so many states begins. As long as any other beginning.
pub fn beginning(states: usize) -> [u8; 5] {
    let mut header = [0xdf; 5];
    header[1..].copy_from_slice(&(states as u32).to_be_bytes());
    header
}

/// Writes what comes before the value of a state.
pub fn write_name(out: &mut dyn Write, name: &str, version: u32) -> io::Result<()> {
    let mut start = Vec::new();
    text(&mut start, name);
    start.extend_from_slice(&beginning(2));
    text(&mut start, "version");
    start.push(0xce);
    start.extend_from_slice(&version.to_be_bytes());
    text(&mut start, "value");
    out.write_all(&start)
}

/// Reads a snapshot. `None` when it is none.
pub fn decode(bytes: &[u8]) -> Option<Entries<'_>> {
    let mut reader = Reader { rest: bytes };
    let mut entries = Entries::new();
    for _ in 0..reader.map()? {
        let name = reader.text()?;
        let (mut version, mut value) = (0, None);
        for _ in 0..reader.map()? {
            match reader.text()?.as_str() {
                "version" => version = rmp_serde::from_slice(reader.value()?).ok()?,
                "value" => value = Some(Cow::Borrowed(reader.value()?)),
                _ => {
                    reader.value()?;
                }
            }
        }
        entries.insert(name, Entry { version, value: value? });
    }
    reader.rest.is_empty().then_some(entries)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(0xdb);
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        bytes.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
    }

    fn map(&mut self) -> Option<usize> {
        match self.number(1)? as u8 {
            short @ 0x80..=0x8f => Some(usize::from(short & 0x0f)),
            0xde => self.number(2),
            0xdf => self.number(4),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = match self.number(1)? as u8 {
            short @ 0xa0..=0xbf => usize::from(short & 0x1f),
            0xd9 => self.number(1)?,
            0xda => self.number(2)?,
            0xdb => self.number(4)?,
            _ => return None,
        };
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    /// The bytes of one whole value. Counts open values instead of recursing: depth can not overflow the stack.
    fn value(&mut self) -> Option<&'a [u8]> {
        let start = self.rest;
        let mut open = 1_usize;
        while open > 0 {
            open -= 1;
            let (skip, values) = match self.number(1)? as u8 {
                0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0),
                short @ 0x80..=0x8f => (0, usize::from(short & 0x0f) * 2),
                short @ 0x90..=0x9f => (0, usize::from(short & 0x0f)),
                short @ 0xa0..=0xbf => (usize::from(short & 0x1f), 0),
                0xc4 | 0xd9 => (self.number(1)?, 0),
                0xc5 | 0xda => (self.number(2)?, 0),
                0xc6 | 0xdb => (self.number(4)?, 0),
                0xc7 => (self.number(1)? + 1, 0),
                0xc8 => (self.number(2)? + 1, 0),
                0xc9 => (self.number(4)? + 1, 0),
                0xcc | 0xd0 => (1, 0),
                0xcd | 0xd1 => (2, 0),
                0xca | 0xce | 0xd2 => (4, 0),
                0xcb | 0xcf | 0xd3 => (8, 0),
                0xd4 => (2, 0),
                0xd5 => (3, 0),
                0xd6 => (5, 0),
                0xd7 => (9, 0),
                0xd8 => (17, 0),
                0xdc => (0, self.number(2)?),
                0xdd => (0, self.number(4)?),
                0xde => (0, self.number(2)?.checked_mul(2)?),
                0xdf => (0, self.number(4)?.checked_mul(2)?),
                0xc1 => return None,
            };
            self.take(skip)?;
            open = open.checked_add(values)?;
        }
        Some(&start[..start.len() - self.rest.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<T: serde::Serialize>(value: &T) -> Cow<'static, [u8]> {
        rmp_serde::to_vec_named(value).unwrap().into()
    }

    fn encode(entries: &Entries) -> Vec<u8> {
        let mut out = beginning(entries.len()).to_vec();
        for (name, entry) in entries {
            write_name(&mut out, name, entry.version).unwrap();
            out.extend_from_slice(&entry.value);
        }
        out
    }

    #[test]
    fn values_of_every_kind_come_back_as_the_same_bytes() {
        let deep = (1..200).fold(serde_json::json!(null), |inner, _| serde_json::json!([inner]));
        let values = [
            value(
                &serde_json::json!({ "a": [1, -1, 70_000, -70_000, 1.5, null, true, "x".repeat(300)], "b": {} }),
            ),
            value(&vec![0_u64, u64::MAX]),
            value(&("é", 'x', Some(i64::MIN))),
            value(&deep),
        ];
        let entries: Entries = values
            .into_iter()
            .enumerate()
            .map(|(index, value)| (format!("state {index}"), Entry { version: index as u32, value }))
            .collect();
        assert_eq!(decode(&encode(&entries)), Some(entries));
    }

    #[test]
    fn what_is_cut_off_or_has_more_behind_it_is_no_snapshot() {
        let entries = Entries::from([("a".into(), Entry { version: 1, value: value(&vec![1, 2, 3]) })]);
        let bytes = encode(&entries);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(&[bytes, vec![0]].concat()), None);
    }
}
