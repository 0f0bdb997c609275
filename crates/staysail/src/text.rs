//! Texts as JSON, quicker than a writer that has to be ready for anything: long answers are mostly one text.

/// Bytes looked at together, so that the processor compares many of them at once.
const BLOCK: usize = 64;

/// The text as a JSON string, the same bytes that `serde_json` writes.
pub fn to_json(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 64 + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let plain = rest.chunks(BLOCK).take_while(|block| is_plain(block)).map(<[u8]>::len).sum();
        let (plain, other) = rest.split_at(plain);
        out.extend_from_slice(plain);
        let (block, after) = other.split_at(other.len().min(BLOCK));
        block.iter().for_each(|byte| escape_into(*byte, &mut out));
        rest = after;
    }
    out.push(b'"');
    out
}

fn is_plain(block: &[u8]) -> bool {
    let escaped = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    !block.iter().fold(false, |any, byte| any | escaped(*byte))
}

fn escape_into(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_serde_json_writes_it() {
        let every_control: String = (0..0x80).map(char::from).collect();
        for text in ["", "plain", "ümlaut 日本語 😀", "a \"quoted\" \\ text\n", &every_control] {
            for before in [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5] {
                let text = format!("{}{text}{}", "x".repeat(before), "ä".repeat(BLOCK));
                assert_eq!(to_json(&text), serde_json::to_vec(&text).unwrap(), "{text:?}");
            }
        }
    }
}
