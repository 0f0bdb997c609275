//! Where arm64 code refers to an address relative to itself: branches, literals, and pairs of page and low bits.
//!
//! A page (`adrp`) means little alone; the address is completed by an `add`, a load or a store a few instructions on.
//! Either half finds the other one by looking at the code between, with no state kept.

use std::ops::Range;

/// Instructions between the halves of a pair.
const REACH: usize = 12;

/// What a field of an instruction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Words from here, in a field of this class.
    Words(Class),
    /// A page; completed by the low bits in the instruction so many words on, if one was found.
    Page { low: usize },
    /// Low bits, completing the page so many words before.
    Low { page: usize },
}

/// The word at `at`.
fn word(code: &[u8], at: usize) -> Option<u32> {
    code.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Whether it is `adrp`.
fn is_page(word: u32) -> bool {
    word & 0x9F00_0000 == 0x9000_0000
}

/// Whether it is `add` of 64 bits and an immediate.
fn is_sum(word: u32) -> bool {
    word & 0xFFC0_0000 == 0x9100_0000
}

/// The power of two by which the 12 bits of an `add`, a load or a store with unsigned offset are scaled.
fn low_scale(word: u32) -> Option<u32> {
    if is_sum(word) {
        return Some(0);
    }
    if word & 0x3B00_0000 != 0x3900_0000 {
        return None;
    }
    let vector = word & 0x0400_0000 != 0;
    let size = word >> 30;
    if vector && word & 0x0080_0000 != 0 {
        return (size == 0).then_some(4);
    }
    Some(size)
}

/// What instructions with a given uppermost byte may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Other,
    /// 26 bits, in words.
    Branch,
    /// 19 bits from bit 5, in words.
    Near,
    /// 14 bits from bit 5, in words.
    Test,
    /// A page.
    Page,
    /// Low bits.
    Low,
}

const CLASS_COUNT: usize = Class::Low as usize + 1;

const fn class(top: u8) -> Class {
    match top {
        0x14..=0x17 | 0x94..=0x97 => Class::Branch,
        0x54 | 0x34 | 0x35 | 0xB4 | 0xB5 => Class::Near,
        0x36 | 0x37 | 0xB6 | 0xB7 => Class::Test,
        0x90 | 0xB0 | 0xD0 | 0xF0 => Class::Page,
        0x91 => Class::Low,
        _ if top & 0x3B == 0x39 => Class::Low,
        _ if top & 0x3B == 0x18 => Class::Near,
        _ => Class::Other,
    }
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut top = 0;
    while top < 256 {
        classes[top] = class(top as u8);
        top += 1;
    }
    classes
};

/// What the instruction at `at` of `code` refers by.
pub(super) fn field(code: &[u8], at: usize) -> Option<Field> {
    let this = word(code, at)?;
    match CLASSES[(this >> 24) as usize] {
        Class::Other => None,
        class @ (Class::Branch | Class::Near | Class::Test) => {
            is_relative(this).then_some(Field::Words(class))
        }
        Class::Page => Some(Field::Page { low: low_of(code, at, this & 31) }),
        Class::Low => page_of(code, at, this),
    }
}

/// Whether a branch or literal is one: the newer relatives of conditional branches have a one where these have a zero.
fn is_relative(this: u32) -> bool {
    this & 0xFF00_0010 != 0x5400_0010
}

/// How many words behind a page in `register` its low bits are; 0 when there are none.
fn low_of(code: &[u8], at: usize, register: u32) -> usize {
    for low in 1..=REACH {
        let Some(next) = word(code, at + 4 * low) else { break };
        if low_scale(next).is_some() && (next >> 5) & 31 == register {
            return low;
        }
        if is_page(next) && next & 31 == register {
            break;
        }
    }
    0
}

/// The page that the low bits in `this` complete.
fn page_of(code: &[u8], at: usize, this: u32) -> Option<Field> {
    low_scale(this)?;
    let register = (this >> 5) & 31;
    for page in 1..=REACH.min(at / 4) {
        let before = word(code, at - 4 * page)?;
        if before & 31 != register {
            continue;
        }
        if is_page(before) {
            return Some(Field::Low { page });
        }
        // A sum in the same register is no page any more.
        if is_sum(before) {
            return None;
        }
    }
    None
}

/// Words that are looked through for those that refer to something before any of these is looked at.
const BLOCK_WORDS: usize = u64::BITS as usize;

/// Calls `found` with the place of each instruction in a part of `code` that refers to something, and the address it
/// refers to; `address` is that of the code's first byte.
pub(super) fn sweep(code: &[u8], part: Range<usize>, address: u64, mut found: impl FnMut(usize, u64)) {
    // Where each register was last made a page, and which; never so far back that the page would not be found from here.
    let mut pages = [(usize::MAX / 2, 0_u64); 32];
    let mut first = part.start;
    for block in code[part].as_chunks().0.chunks(BLOCK_WORDS) {
        // Which instruction refers to something is hard for a processor to foresee: it is not asked.
        let mut marks = 0_u64;
        for (number, bytes) in block.iter().enumerate() {
            let top: u8 = bytes[3];
            marks |= u64::from(CLASSES[usize::from(top)] != Class::Other) << number;
        }
        while marks != 0 {
            let number = marks.trailing_zeros() as usize;
            marks &= marks - 1;
            let this = u32::from_le_bytes(block[number]);
            let at = first + 4 * number;
            let here = address.wrapping_add(at as u64);
            let class = CLASSES[(this >> 24) as usize];
            match class {
                Class::Low => {
                    let (from, page) = pages[(this >> 5 & 31) as usize];
                    let near = at.wrapping_sub(from) <= 4 * REACH;
                    if is_sum(this) {
                        pages[(this & 31) as usize].0 = usize::MAX / 2;
                    }
                    if near && low_scale(this).is_some() {
                        found(at, page.wrapping_add_signed(low_bits(this)));
                    }
                }
                Class::Page => {
                    let page = (here & !0xFFF).wrapping_add_signed(page_offset(this));
                    pages[(this & 31) as usize] = (at, page);
                    let low = match low_of(code, at, this & 31) {
                        0 => 0,
                        low => word(code, at + 4 * low).map_or(0, low_bits),
                    };
                    found(at, page.wrapping_add_signed(low));
                }
                _ if is_relative(this) => found(at, here.wrapping_add_signed(distance(this, class))),
                _ => {}
            }
        }
        first += 4 * BLOCK_WORDS;
    }
}

/// How far a branch or a literal's load goes.
#[inline(always)]
fn distance(this: u32, class: Class) -> i64 {
    /// By how much to shift the instruction left, and then right, to have the words it goes.
    const SHIFTS: [[u32; 2]; CLASS_COUNT] = {
        let mut shifts = [[0; 2]; CLASS_COUNT];
        shifts[Class::Branch as usize] = [6, 6];
        shifts[Class::Near as usize] = [8, 13];
        shifts[Class::Test as usize] = [13, 18];
        shifts
    };
    let [left, right] = SHIFTS[class as usize];
    i64::from((this << left) as i32 >> right) * 4
}

fn signed(value: u32, bits: u32) -> i64 {
    i64::from((value << (32 - bits)) as i32 >> (32 - bits))
}

fn page_offset(word: u32) -> i64 {
    signed((word >> 5 & 0x7_FFFF) << 2 | word >> 29 & 3, 21) << 12
}

fn low_bits(word: u32) -> i64 {
    i64::from(word >> 10 & 0xFFF) << low_scale(word).unwrap_or(0)
}

/// The address the field at `at`, whose own address is `address`, refers to.
pub(super) fn target(code: &[u8], at: usize, address: u64, field: Field) -> Option<u64> {
    let this = word(code, at)?;
    match field {
        Field::Words(class) => Some(address.wrapping_add_signed(distance(this, class))),
        Field::Page { low } => {
            let low = if low == 0 { 0 } else { low_bits(word(code, at + 4 * low)?) };
            let page = (address & !0xFFF).wrapping_add_signed(page_offset(this));
            Some(page.wrapping_add_signed(low))
        }
        Field::Low { page } => {
            let from = address.wrapping_sub(4 * page as u64) & !0xFFF;
            let page = from.wrapping_add_signed(page_offset(word(code, at - 4 * page)?));
            Some(page.wrapping_add_signed(low_bits(this)))
        }
    }
}

/// The bits by which instructions of each class refer to something.
const FIELDS: [u32; CLASS_COUNT] = {
    let mut fields = [0; CLASS_COUNT];
    fields[Class::Branch as usize] = 0x3FF_FFFF;
    fields[Class::Near as usize] = 0x7_FFFF << 5;
    fields[Class::Test as usize] = 0x3FFF << 5;
    fields[Class::Page as usize] = 3 << 29 | 0x7_FFFF << 5;
    fields[Class::Low as usize] = 0xFFF << 10;
    fields
};

/// The instruction `this` at `address`, one that refers to something, made to refer to `target`.
///
/// Which class comes next is anybody's guess, a processor's, too: what the field of each would be takes less to compute
/// than a wrong guess costs.
#[inline(always)]
pub(super) fn aimed(this: u32, address: u64, target: u64) -> u32 {
    let class = CLASSES[(this >> 24) as usize] as usize;
    let words = (target.wrapping_sub(address) >> 2) as u32;
    let pages = (target >> 12).wrapping_sub(address >> 12) as u32;
    let mut values = [0; CLASS_COUNT];
    values[Class::Branch as usize] = words;
    values[Class::Near as usize] = words << 5;
    values[Class::Test as usize] = words << 5;
    values[Class::Page as usize] = (pages & 3) << 29 | (pages >> 2 & 0x7_FFFF) << 5;
    values[Class::Low as usize] = (target as u32 & 0xFFF) >> low_scale(this).unwrap_or(0) << 10;
    this & !FIELDS[class] | values[class] & FIELDS[class]
}

/// The instruction `this` with what it refers to left out.
pub(super) fn blank(this: u32) -> u32 {
    this & !FIELDS[CLASSES[(this >> 24) as usize] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: u64 = 0x10_0000;

    /// The address the instruction after `before` refers to, when it is at [`HERE`] and `after` follows.
    fn refers(before: &[u32], this: u32, after: &[u32]) -> Option<u64> {
        let code: Vec<u8> =
            [before, &[this], after].concat().iter().flat_map(|word| word.to_le_bytes()).collect();
        let at = 4 * before.len();
        let mut swept = None;
        sweep(&code, 0..code.len(), HERE - at as u64, |place, target| {
            swept = if place == at { Some(target) } else { swept };
        });
        let looked = field(&code, at).and_then(|field| target(&code, at, HERE, field));
        assert_eq!(swept, looked, "both ways of looking see the same");
        let address = swept?;
        assert_eq!(aimed(this, HERE, address), this, "{this:08X}");
        assert_eq!(aimed(blank(this), HERE, address), this, "{this:08X}");
        Some(address)
    }

    /// Words from an assembler's listing.
    #[test]
    fn instructions_refer_to_what_the_processor_takes_them_to() {
        let alone = |this| refers(&[], this, &[]);
        assert_eq!(alone(0x9400_0002), Some(HERE + 8)); // bl
        assert_eq!(alone(0x17FF_FFFF), Some(HERE - 4)); // b
        assert_eq!(alone(0x5400_0020), Some(HERE + 4)); // b.eq
        assert_eq!(alone(0x54FF_FFE1), Some(HERE - 4)); // b.ne
        assert_eq!(alone(0xB400_0041), Some(HERE + 8)); // cbz x1
        assert_eq!(alone(0x3607_FFC0), Some(HERE - 8)); // tbz w0, 0
        assert_eq!(alone(0x5800_0040), Some(HERE + 8)); // ldr x0, literal
        assert_eq!(alone(0xB000_0000), Some(HERE + 0x1000)); // adrp x0
        assert_eq!(alone(0xF0FF_FFE1), Some(HERE - 0x1000)); // adrp x1
        assert_eq!(alone(0x90FF_FFE1), Some(HERE - 0x4000)); // adrp x1
        assert_eq!(alone(0x8B01_0000), None); // add x0, x0, x1
        assert_eq!(alone(0x9100_4000), None, "a sum without a page");
    }

    #[test]
    fn a_sweep_sees_what_looking_at_each_instruction_sees() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let tops: Vec<u32> = (0..=255).filter(|top| class(*top) != Class::Other).map(u32::from).collect();
        // Two registers only, so that pages and low bits meet.
        let words = (0..200_000).map(|_| {
            let top = tops[random() as usize % tops.len()] << 24;
            top | random() & 0x00FF_FC00 | (random() & 1) << 5 | random() & 0x11
        });
        let code: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let mut swept = Vec::new();
        sweep(&code, 0..code.len(), HERE, |at, target| swept.push((at, target)));
        let look = |at: usize| Some((at, target(&code, at, HERE + at as u64, field(&code, at)?)?));
        let looked: Vec<_> = (0..code.len()).step_by(4).filter_map(look).collect();
        assert!(swept == looked);
        let kinds = |kind: Class| swept.iter().filter(|(at, _)| class(code[at + 3]) == kind).count();
        for kind in [Class::Branch, Class::Near, Class::Test, Class::Page, Class::Low] {
            assert!(kinds(kind) > 1_000, "{kind:?}");
        }
        // A page and scaled low bits may lead beyond the page, from where there is no way back.
        let plain = |at: usize| !matches!(class(code[at + 3]), Class::Page | Class::Low);
        for (at, target) in swept.into_iter().filter(|(at, _)| plain(*at)) {
            let this = word(&code, at).unwrap();
            assert_eq!(aimed(blank(this), HERE + at as u64, target), this, "{this:08X}");
        }
    }

    #[test]
    fn pages_and_low_bits_find_each_other() {
        let (page, sum) = (0xB000_0000, 0x9100_4000); // adrp x0; add x0, x0, 16
        let (load, vector) = (0xF940_0401, 0x3DC0_0400); // ldr x1, [x0, 8]; ldr q0, [x0, 16]
        let other = 0x9100_4021; // add x1, x1, 16
        let nothing = 0xD503_201F; // nop
        for (low, offset) in [(sum, 16), (load, 8), (vector, 16)] {
            assert_eq!(refers(&[], page, &[nothing, low]), Some(HERE + 0x1000 + offset));
            // The page is counted from the page's own instruction, 4 bytes before this page's beginning.
            assert_eq!(refers(&[page], low, &[]), Some(HERE + offset));
        }
        assert_eq!(refers(&[], page, &[other]), Some(HERE + 0x1000), "of another register");
        assert_eq!(refers(&[page, sum], load, &[]), None, "a sum is no page any more");
        assert_eq!(refers(&[], page, &[0x9000_0000, sum]), Some(HERE + 0x1000), "for the next page");
        let far = [&[page][..], &[nothing; REACH]].concat();
        assert_eq!(refers(&far, load, &[]), None, "out of reach");
        assert!(refers(&far[..REACH], load, &[]).is_some());
        // 128 bits of what is no vector do not exist.
        assert_eq!(refers(&[page], 0x7DC0_0400, &[]), None);
    }
}
