//! JavaScript's texts as UTF-8. A lone surrogate becomes U+FFFD, as `TextEncoder` has it.

use alloc::vec::Vec;

/// Units looked at together: as long as all are ASCII, the processor turns many of them at once.
const BLOCK: usize = 256;

/// Puts a text behind what is there.
pub fn utf8_into(units: &[u16], out: &mut Vec<u8>) {
    let mut rest = units;
    while !rest.is_empty() {
        let (ascii, other) = split(rest);
        out.extend(ascii.iter().map(|unit| *unit as u8));
        let mut bytes = [0; 4];
        for unit in char::decode_utf16(other.iter().copied()) {
            out.extend_from_slice(replaced(unit).encode_utf8(&mut bytes).as_bytes());
        }
        rest = &rest[ascii.len() + other.len()..];
    }
}

fn replaced(unit: Result<char, core::char::DecodeUtf16Error>) -> char {
    unit.unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A beginning of ASCII blocks, and the block of anything else that follows.
fn split(units: &[u16]) -> (&[u16], &[u16]) {
    let is_ascii = |block: &[u16]| block.iter().fold(0, |all, unit| all | unit) < 0x80;
    let ascii = units.chunks(BLOCK).take_while(|block| is_ascii(block)).map(<[u16]>::len).sum::<usize>();
    let (ascii, rest) = units.split_at(ascii);
    let block = &rest[..rest.len().min(BLOCK)];
    // A character's two halves stay together.
    let half = block.len() > 1 && block.len() < rest.len() && matches!(block.last(), Some(0xd800..=0xdbff));
    (ascii, &block[..block.len() - usize::from(half)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(units: &[u16]) {
        let expected = String::from_utf16_lossy(units);
        let mut found = Vec::new();
        utf8_into(units, &mut found);
        assert!(found == expected.as_bytes(), "{units:x?}");
    }

    #[test]
    fn texts_of_every_kind_are_what_the_standard_library_makes_of_them() {
        check(&[]);
        for text in ["plain", "ümlaut", "日本語", "😀", "a😀b"] {
            for before in [0, 1, BLOCK - 2, BLOCK - 1, BLOCK, 3 * BLOCK - 1] {
                let whole = format!("{}{text}{}", "x".repeat(before), "y".repeat(BLOCK));
                check(&whole.encode_utf16().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn half_a_character_is_replaced_wherever_it_stands() {
        for lone in [0xd800, 0xdbff, 0xdc00, 0xdfff] {
            for before in [0, 1, BLOCK - 1, BLOCK] {
                let mut units = vec![u16::from(b'x'); before];
                units.push(lone);
                check(&units);
                units.extend([lone, lone, u16::from(b'y')]);
                check(&units);
            }
        }
    }
}
