//! Where x86-64 code refers to an address relative to itself: calls, jumps, and operands relative to the next instruction.
//!
//! Only lengths are decoded, by a linear sweep: opcode maps of the Intel manual (volume 2, appendix A), VEX and EVEX
//! included. Data among code puts the sweep off for a few instructions, which costs bytes of a patch and nothing else.

use std::ops::Range;
use std::sync::LazyLock;

/// The opcode is followed by a ModRM byte.
const MODRM: u8 = 0x10;
/// A prefix, or an opcode that does not exist in 64-bit mode, or one that is treated apart.
const APART: u8 = 0x20;
/// The immediate is an offset of 32 bits to jump to.
const JUMP: u8 = 0x40;
/// The immediate has two bytes with an operand-size prefix instead of four.
const SIZED: u8 = 0x80;
/// Prefixes that are skipped at most.
const PREFIXES_MAX: usize = 12;
/// Bits of a flag's number that hold the immediate's bytes.
const IMMEDIATE: u8 = 0x0F;

const fn one_byte(opcode: u8) -> u8 {
    match opcode {
        // Prefixes count as instructions: what they change is not asked.
        0x26 | 0x2E | 0x36 | 0x3E | 0x64 | 0x65 | 0x67 | 0xF0 | 0xF2 | 0xF3 => 0,
        0x00..=0x3F => match opcode & 7 {
            0..=3 => MODRM,
            4 => 1,
            5 => 4 | SIZED,
            _ => APART,
        },
        0x50..=0x5F | 0x6C..=0x6F | 0x90..=0x99 | 0x9B..=0x9F => 0,
        0x63 | 0x84..=0x8F | 0xD0..=0xD3 | 0xD8..=0xDF | 0xFE | 0xFF => MODRM,
        0x68 | 0xA9 => 4 | SIZED,
        0x69 | 0x81 | 0xC7 => MODRM | 4 | SIZED,
        0x6A | 0x70..=0x7F | 0xA8 | 0xB0..=0xB7 | 0xCD | 0xE0..=0xE7 | 0xEB => 1,
        0x6B | 0x80 | 0x83 | 0xC0 | 0xC1 | 0xC6 => MODRM | 1,
        0xB8..=0xBF => 4 | SIZED,
        0xA0..=0xA3 => 8,
        0xA4..=0xA7 | 0xAA..=0xAF | 0xC3 | 0xC9 | 0xCB | 0xCC | 0xCF | 0xD7 => 0,
        0xC2 | 0xCA => 2,
        0xC8 => 3,
        0xE8 | 0xE9 => 4 | JUMP,
        0xEC..=0xEF | 0xF1 | 0xF4 | 0xF5 | 0xF8..=0xFD => 0,
        _ => APART,
    }
}

const fn two_bytes(opcode: u8) -> u8 {
    match opcode {
        0x04 | 0x0A | 0x0C | 0x0F | 0x24..=0x27 | 0x36 | 0x38..=0x3F | 0xA6 | 0xA7 => APART,
        0x05..=0x09 | 0x0B | 0x0E | 0x30..=0x37 | 0x77 | 0xA0..=0xA2 | 0xA8..=0xAA | 0xC8..=0xCF => 0,
        0x80..=0x8F => 4 | JUMP,
        0x70..=0x73 | 0xA4 | 0xAC | 0xBA | 0xC2 | 0xC4..=0xC6 => MODRM | 1,
        _ => MODRM,
    }
}

/// Bits of a step that hold the bytes it takes: of a ModRM byte itself, scale-index-base and displacement.
const LENGTH: u8 = 0x0F;
/// The last field of 32 bits in front of the immediate is relative to the next instruction.
const RELATIVE: u8 = 0x10;
/// A displacement of four bytes follows if the base in the byte behind ModRM is 5.
const BASELESS: u8 = 0x20;
/// What the third byte adds as ModRM is still to be added.
const THIRD: u8 = 0x40;
/// [`decode`] is to be asked.
const ASK: u8 = 0x80;

const fn mode(modrm: u8) -> u8 {
    match (modrm >> 6, modrm & 7) {
        (0, 5) => RELATIVE | 5,
        (0, 4) => BASELESS | 2,
        (0, _) | (3, _) => 1,
        (1, 4) => 3,
        (1, _) => 2,
        (_, 4) => 6,
        (_, _) => 5,
    }
}

/// What a ModRM byte adds.
static MODES: [u8; 256] = {
    let mut modes = [0; 256];
    let mut modrm = 0;
    while modrm < 256 {
        modes[modrm] = mode(modrm as u8);
        modrm += 1;
    }
    modes
};

/// What the first two bytes of an instruction tell.
struct Pairs {
    /// The step to take, see [`LENGTH`] and those behind it. Prefixes are steps of their own where nothing depends on them.
    steps: Box<[u8; 1 << 16]>,
    /// Bytes behind a relative field.
    behind: Box<[u8; 1 << 16]>,
}

/// Made at first use: in the program it would take more room than what makes it.
static PAIRS: LazyLock<Pairs> = LazyLock::new(|| {
    let mut pairs = Pairs { steps: Box::new([1; 1 << 16]), behind: Box::new([0; 1 << 16]) };
    let steps = pairs.steps.as_chunks_mut::<256>().0;
    let behind = pairs.behind.as_chunks_mut::<256>().0;
    for (first, (steps, behind)) in (0..=255).zip(steps.iter_mut().zip(behind)) {
        match first {
            0x0F | 0x40..=0x4F | 0x66 => {
                for (second, (step, behind)) in (0..=255).zip(steps.iter_mut().zip(behind)) {
                    (*step, *behind) = pair(first, second);
                }
            }
            0xC4 | 0xC5 | 0x62 => steps.fill(ASK),
            0xF6 | 0xF7 => {
                for (modrm, (step, behind)) in (0..=255).zip(steps.iter_mut().zip(behind)) {
                    *behind = tested(first, modrm) & IMMEDIATE;
                    *step = 1 + *behind + mode(modrm);
                }
            }
            _ => {
                let what = one_byte(first);
                if what & MODRM != 0 {
                    behind.fill(what & IMMEDIATE);
                    steps.copy_from_slice(&MODES);
                    steps.iter_mut().for_each(|step| *step += 1 + (what & IMMEDIATE));
                } else if what & APART == 0 {
                    steps.fill(plain(1, what));
                }
            }
        }
    }
    pairs
});

/// The step of an instruction of `own` bytes and what follows them, without a ModRM byte.
const fn plain(own: u8, what: u8) -> u8 {
    own + (what & IMMEDIATE) + if what & JUMP != 0 { RELATIVE } else { 0 }
}

/// The step and the bytes behind a relative field for two bytes of which the second one is an opcode or decides about it.
const fn pair(first: u8, second: u8) -> (u8, u8) {
    let what = match (first, second) {
        (0x0F, 0x38 | 0x3A)
        | (0x66, 0x26 | 0x2E | 0x36 | 0x3E | 0x40..=0x4F | 0x64..=0x67 | 0xF0 | 0xF2 | 0xF3 | 0xF7) => {
            return (ASK, 0);
        }
        (0x0F, _) => two_bytes(second),
        (0x48..=0x4F, 0xB8..=0xBF) => 8,
        (0x66, _) if one_byte(second) & SIZED != 0 => one_byte(second) - 2,
        // The other ones are not changed by this prefix.
        (0x66, _) => return (1, 0),
        _ => one_byte(second),
    };
    if what & APART != 0 {
        (1, 0)
    } else if what & MODRM != 0 {
        (THIRD | (2 + (what & IMMEDIATE)), what & IMMEDIATE)
    } else {
        (plain(2, what), 0)
    }
}

/// What follows F6 or F7: only their test has an immediate.
const fn tested(opcode: u8, modrm: u8) -> u8 {
    match (modrm & 0x30 == 0, opcode) {
        (false, _) => MODRM,
        (true, 0xF6) => MODRM | 1,
        (true, _) => MODRM | 4 | SIZED,
    }
}

/// What one instruction amounts to, or a prefix of it.
#[derive(Debug, Clone, Copy)]
struct Instruction {
    length: usize,
    /// 1 when it has a relative field of 32 bits.
    relative: usize,
    /// Its first two bytes, or beyond those [`KNOWN`] and the bytes behind the relative field.
    what: u32,
}

/// Bytes of the immediate that are in [`Instruction::what`] itself.
const KNOWN: u32 = 1 << 16;

impl Pairs {
    /// Decodes the instruction at the beginning, or a prefix of it. Without branches as far as possible: what comes next is
    /// hard to foresee. Its first bytes are loaded once, as loads that wait for each other are what takes longest.
    #[inline(always)]
    fn instruction(&self, code: &[u8; WINDOW]) -> Instruction {
        let what = u16::from_be_bytes([code[0], code[1]]);
        let step = self.steps[usize::from(what)];
        let third = MODES[usize::from(code[2])] & all_if(step & THIRD != 0);
        let step = (step & !THIRD) + third;
        if step & (ASK | BASELESS) != 0 {
            return if step & ASK != 0 { decode(code) } else { baseless(code, third != 0, step, what) };
        }
        let (length, relative) = (usize::from(step & LENGTH), usize::from((step & RELATIVE) / RELATIVE));
        Instruction { length, relative, what: u32::from(what) }
    }

    /// Bytes of an instruction behind its relative field.
    #[inline(always)]
    fn behind(&self, what: u32) -> usize {
        if what & KNOWN != 0 {
            (what & !KNOWN) as usize
        } else {
            usize::from(self.behind[what as usize & 0xFFFF])
        }
    }
}

/// All bits, or none.
const fn all_if(condition: bool) -> u8 {
    (condition as u8).wrapping_neg()
}

/// An operand that perhaps has no base.
#[inline(always)]
fn baseless(code: &[u8; WINDOW], third: bool, step: u8, what: u16) -> Instruction {
    let base = if third { code[3] } else { code[2] } & 7;
    let length = usize::from(step & LENGTH) + if base == 5 { 4 } else { 0 };
    Instruction { length, relative: 0, what: u32::from(what) }
}

/// No instruction and its prefixes reach further.
const WINDOW: usize = 32;

/// Decodes any instruction. With an operand-size prefix others may follow.
#[cold]
fn decode(code: &[u8; WINDOW]) -> Instruction {
    let (mut at, mut narrow) = (0, false);
    if code[0] == 0x66 {
        narrow = true;
        at = 1;
        while at < PREFIXES_MAX
            && matches!(code[at], 0x26 | 0x2E | 0x36 | 0x3E | 0x64..=0x67 | 0xF0 | 0xF2 | 0xF3)
        {
            at += 1;
        }
    }
    let mut wide = false;
    if code[at] & 0xF0 == 0x40 {
        wide = code[at] & 8 != 0;
        at += 1;
    }
    let opcode = code[at];
    at += 1;
    let mut what = match opcode {
        0x0F => {
            let second = code[at];
            at += 1;
            match second {
                0x38 | 0x3A => {
                    at += 1;
                    MODRM | u8::from(second == 0x3A)
                }
                _ => two_bytes(second),
            }
        }
        0xC4 | 0xC5 | 0x62 => {
            let map = if opcode == 0xC5 { 1 } else { code[at] & 7 };
            at += match opcode {
                0xC5 => 1,
                0xC4 => 2,
                _ => 3,
            };
            let opcode = code[at];
            at += 1;
            match map {
                1 => two_bytes(opcode) & !JUMP,
                2 | 5 | 6 => MODRM,
                3 => MODRM | 1,
                _ => APART,
            }
        }
        0xF6 | 0xF7 => tested(opcode, code[at]),
        0xB8..=0xBF if wide => 8,
        _ => one_byte(opcode),
    };
    if what & APART != 0 {
        return Instruction { length: 1, relative: 0, what: KNOWN };
    }
    if narrow && what & SIZED != 0 {
        what -= 2;
    }
    let immediate = usize::from(what & IMMEDIATE);
    let mut mode = 0;
    if what & MODRM != 0 {
        mode = MODES[usize::from(code[at])];
        if mode & BASELESS != 0 && code[at + 1] & 7 == 5 {
            at += 4;
        }
    }
    let jump = what & JUMP != 0;
    let behind = if jump { 0 } else { immediate };
    Instruction {
        length: at + usize::from(mode & LENGTH) + immediate,
        relative: usize::from(jump || mode & RELATIVE != 0),
        what: KNOWN | behind as u32,
    }
}

/// Parts of code that are swept at once: where an instruction begins is known only when the one before it is decoded, and
/// a processor waits less when there are several such chains.
pub(super) const LANES: usize = 4;
/// Instructions of each lane between two looks at what was found.
const STEPS: usize = 64;

/// How far one part is swept.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    /// Number of the part.
    part: usize,
    /// Where it is no longer swept beside others.
    limit: usize,
    end: usize,
}

/// Calls `found` for each relative 32-bit field that begins in one of the parts of `code`, which are asked for as they are
/// begun: with the lane (see [`LANES`]) and the part's number, the field's place, and the bytes of the instruction behind it. In each part they come in
/// order.
pub(super) fn sweep(
    code: &[u8],
    parts: impl Iterator<Item = (usize, Range<usize>)>,
    mut found: impl FnMut(usize, usize, usize, usize),
) {
    let pairs = &*PAIRS;
    let mut parts = parts.filter(|(_, range)| !range.is_empty());
    let limit = code.len().saturating_sub(STEPS * WINDOW);
    let (mut lanes, mut places) = ([Lane::default(); LANES], [0; LANES]);
    // The end of each instruction and what it is, those without a field overwritten by the next one.
    let mut notes = [[0; STEPS]; LANES];
    loop {
        let mut idle = 0;
        for (number, (lane, at)) in lanes.iter_mut().zip(&mut places).enumerate() {
            while *at >= lane.limit {
                finish(pairs, code, (number, *lane), *at, &mut found);
                // Behind the last part the lane goes idle, at places where nothing is found.
                let Some((part, range)) = parts.next() else {
                    (*lane, *at) = (Lane { part: 0, limit: 1, end: 0 }, 0);
                    break;
                };
                (*lane, *at) = (Lane { part, limit: range.end.min(limit), end: range.end }, range.start);
            }
            if lane.end == 0 {
                *at = 0;
                idle += 1;
            }
        }
        // One alone does not need the others.
        if idle + 1 >= LANES || limit == 0 {
            break;
        }
        let mut counts = [0; LANES];
        for _ in 0..STEPS {
            for (lane, at) in places.iter_mut().enumerate() {
                let Some(window) = code.get(*at..).and_then(|code| code.first_chunk()) else { break };
                let Instruction { length, relative, what } = pairs.instruction(window);
                *at += length;
                notes[lane][counts[lane] % STEPS] = *at as u64 | u64::from(what) << 32;
                counts[lane] += relative;
            }
        }
        for (number, ((lane, notes), count)) in lanes.iter().zip(&notes).zip(counts).enumerate() {
            for note in &notes[..count] {
                let behind = pairs.behind((note >> 32) as u32);
                let at = *note as u32 as usize - 4 - behind;
                if at < lane.end {
                    found(number, lane.part, at, behind);
                }
            }
        }
    }
    lanes
        .into_iter()
        .enumerate()
        .zip(places)
        .for_each(|(lane, at)| finish(pairs, code, lane, at, &mut found));
}

/// Sweeps what is left of one part, up to the end of the code.
fn finish(
    pairs: &Pairs,
    code: &[u8],
    (number, lane): (usize, Lane),
    mut at: usize,
    found: &mut impl FnMut(usize, usize, usize, usize),
) {
    while at < lane.end {
        let Instruction { length, relative, what } = match code[at..].first_chunk() {
            Some(window) => pairs.instruction(window),
            // The last ones, as if zeros followed.
            None => {
                let mut window = [0; WINDOW];
                window[..code.len() - at].copy_from_slice(&code[at..]);
                pairs.instruction(&window)
            }
        };
        at += length;
        if relative != 0 && at <= code.len() {
            let behind = pairs.behind(what);
            let field = at - 4 - behind;
            if field < lane.end {
                found(number, lane.part, field, behind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths from an assembler's listing.
    #[test]
    fn instructions_have_the_lengths_and_fields_the_processor_gives_them() {
        let cases: [(&[u8], usize, usize); 26] = [
            (b"\x90", 1, 0),                                          // nop
            (b"\x55", 1, 0),                                          // push rbp
            (b"\xE8\x01\x00\x00\x00", 5, 1),                          // call
            (b"\x0F\x84\x00\x01\x00\x00", 6, 2),                      // je
            (b"\x74\x05", 2, 0),                                      // je, short
            (b"\x48\x8D\x05\x10\x00\x00\x00", 7, 3),                  // lea rax, [rip + 16]
            (b"\x48\x8B\x44\x24\x08", 5, 0),                          // mov rax, [rsp + 8]
            (b"\x48\x8B\x84\x24\x80\x00\x00\x00", 8, 0),              // mov rax, [rsp + 128]
            (b"\x8B\x04\x25\x00\x10\x00\x00", 7, 0),                  // mov eax, [0x1000]
            (b"\x8B\x04\x88", 3, 0),                                  // mov eax, [rax + rcx * 4]
            (b"\xC7\x05\x10\x00\x00\x00\x01\x00\x00\x00", 10, 2),     // mov dword [rip + 16], 1
            (b"\x66\xC7\x05\x10\x00\x00\x00\x01\x00", 9, 3),          // mov word [rip + 16], 1
            (b"\x80\x3D\x10\x00\x00\x00\x07", 7, 2),                  // cmp byte [rip + 16], 7
            (b"\xF6\x05\x10\x00\x00\x00\x01", 7, 2),                  // test byte [rip + 16], 1
            (b"\xF7\xD8", 2, 0),                                      // neg eax
            (b"\x48\xF7\xC0\x01\x00\x00\x00", 7, 0),                  // test rax, 1
            (b"\xB8\x01\x00\x00\x00", 5, 0),                          // mov eax, 1
            (b"\x48\xB8\x01\x02\x03\x04\x05\x06\x07\x08", 10, 0),     // movabs rax
            (b"\x66\xB8\x01\x00", 4, 0),                              // mov ax, 1
            (b"\x66\x0F\x6F\x05\x10\x00\x00\x00", 8, 4),              // movdqa xmm0, [rip + 16]
            (b"\x66\x0F\x3A\x0F\xC1\x08", 6, 0),                      // palignr xmm0, xmm1, 8
            (b"\xC5\xF8\x28\x05\x10\x00\x00\x00", 8, 4),              // vmovaps xmm0, [rip + 16]
            (b"\xC4\xE3\x75\x18\xC0\x01", 6, 0),                      // vinsertf128 ymm0, ymm1, xmm0, 1
            (b"\x62\xF1\x7C\x48\x28\x05\x10\x00\x00\x00", 10, 6),     // vmovaps zmm0, [rip + 16]
            (b"\x66\x66\x2E\x0F\x1F\x84\x00\x00\x00\x00\x00", 11, 0), // a long nop
            (b"\xC2\x08\x00", 3, 0),                                  // ret 8
        ];
        for (bytes, length, field) in cases {
            let mut window = [0xCC; WINDOW];
            window[..bytes.len()].copy_from_slice(bytes);
            for stepped in [false, true] {
                let (end, found) = until(&window, stepped);
                assert_eq!((end, found.map_or(0, |(field, _)| field)), (length, field), "{bytes:02X?}");
            }
        }
    }

    /// Where an instruction ends, and its relative field with the bytes behind that: decoded whole, or in steps.
    fn until(window: &[u8; WINDOW], stepped: bool) -> (usize, Option<(usize, usize)>) {
        let whole = decode(window);
        let field = |end: usize, found: Instruction| {
            let behind = PAIRS.behind(found.what);
            (found.relative != 0).then(|| (end - 4 - behind, behind))
        };
        if !stepped {
            return (whole.length, field(whole.length, whole));
        }
        let (mut at, mut found) = (0, None);
        while at < whole.length {
            let mut rest = [0; WINDOW];
            rest[..WINDOW - at].copy_from_slice(&window[at..]);
            let step = PAIRS.instruction(&rest);
            at += step.length;
            found = found.or(field(at, step));
        }
        (at, found)
    }

    /// All beginnings, with bytes behind them that are and are not what their first bytes ask about.
    #[test]
    fn steps_lead_where_decoding_leads() {
        let mut window = [0x25; WINDOW];
        for (first, second) in (0..=255).flat_map(|first| (0..=255).map(move |second| (first, second))) {
            for third in [0x04, 0x05, 0x0F, 0x38, 0x41, 0x44, 0x66, 0x81, 0x84, 0xB9, 0xC0, 0xF3, 0xF7] {
                for fourth in [0x00, 0x05, 0x68, 0xC7] {
                    window[..4].copy_from_slice(&[first, second, third, fourth]);
                    assert_eq!(until(&window, true), until(&window, false), "{window:02X?}");
                }
            }
        }
    }

    #[test]
    fn no_bytes_take_the_sweep_out_of_the_code() {
        for first in 0..=255 {
            for second in [0, 0x05, 0x0F, 0x38, 0x48, 0x66, 0x84, 0xFF] {
                for length in 1..12 {
                    let mut code = vec![first; length];
                    code[length - 1] = second;
                    let parts = [0..length / 2, length / 2..length, 0..0, 0..length];
                    sweep(&code, parts.into_iter().enumerate(), |_, _, at, behind| {
                        assert!(at + 4 + behind <= length)
                    });
                }
            }
        }
    }
}
