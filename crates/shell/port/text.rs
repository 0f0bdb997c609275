//! JavaScript's texts as UTF-8. A lone surrogate becomes U+FFFD, as `TextEncoder` has it.

/// Units looked at together: as long as all are ASCII, the processor turns many of them at once.
const BLOCK: usize = 256;

/// How many bytes of UTF-8 a text has.
pub fn utf8_length(units: &[u16]) -> usize {
    let mut length = 0;
    let mut rest = units;
    while !rest.is_empty() {
        let (ascii, other) = split(rest);
        length += ascii.len();
        length +=
            char::decode_utf16(other.iter().copied()).map(|unit| replaced(unit).len_utf8()).sum::<usize>();
        rest = &rest[ascii.len() + other.len()..];
    }
    length
}

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

/// How much of a text can be turned by itself: all of it, without the first half of a character at its end.
pub fn whole_characters(units: &[u16]) -> usize {
    match units.last() {
        Some(0xd800..=0xdbff) => units.len() - 1,
        _ => units.len(),
    }
}

fn replaced(unit: Result<char, std::char::DecodeUtf16Error>) -> char {
    unit.unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A beginning of ASCII blocks, and the block of anything else that follows.
fn split(units: &[u16]) -> (&[u16], &[u16]) {
    let is_ascii = |block: &[u16]| block.iter().fold(0, |all, unit| all | unit) < 0x80;
    let ascii = units.chunks(BLOCK).take_while(|block| is_ascii(block)).map(<[u16]>::len).sum::<usize>();
    let (ascii, rest) = units.split_at(ascii);
    let block = &rest[..rest.len().min(BLOCK)];
    let whole = match whole_characters(block) {
        0 => block.len(),
        _ if block.len() == rest.len() => block.len(),
        whole => whole,
    };
    (ascii, &block[..whole])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(units: &[u16]) {
        let expected = String::from_utf16_lossy(units);
        let mut found = Vec::new();
        utf8_into(units, &mut found);
        assert!(found == expected.as_bytes(), "{units:x?}");
        assert_eq!(utf8_length(units), expected.len());
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

    #[test]
    fn a_text_in_pieces_is_the_same_text() {
        let units: Vec<u16> = "😀".repeat(100).encode_utf16().collect();
        for size in 2..9 {
            let (mut found, mut rest) = (Vec::new(), &units[..]);
            while !rest.is_empty() {
                let at = whole_characters(&rest[..size.min(rest.len())]);
                utf8_into(&rest[..at], &mut found);
                rest = &rest[at..];
            }
            assert_eq!(String::from_utf8(found).unwrap(), "😀".repeat(100));
        }
    }
}
