//! Where x86-64 code refers to an address relative to itself: calls, jumps, and operands relative to the next instruction.
//!
//! Only lengths are decoded, by a linear sweep: opcode maps of the Intel manual (volume 2, appendix A), VEX and EVEX
//! included. Data among code puts the sweep off for a few instructions, which costs bytes of a patch and nothing else.

use std::ops::Range;

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

/// Bits of [`OPCODES`] that hold the bytes of the opcode and of the immediate.
const OWN: u16 = 0x0F;
/// The opcode has two bytes.
const TWO: u16 = 0x100;
/// Where [`OPCODES`] holds which bits of [`MODES`] count: all of them or, without a ModRM byte, none.
const MODE_SHIFT: u32 = 9;

/// What follows an opcode, in one number: the flags above, and its own bytes added to the immediate's.
const fn entry(what: u8, two: bool) -> u16 {
    let own = if two { TWO | 2 } else { 1 };
    let modes = if what & MODRM != 0 { 0x3F << MODE_SHIFT } else { 0 };
    (own + (what & IMMEDIATE) as u16) | (what & (APART | JUMP | SIZED)) as u16 | modes
}

/// Index: the opcode; 256 more behind 0F; 512 more with a REX prefix that makes operands wide.
static OPCODES: [u16; 1024] = {
    let mut table = [0; 1024];
    let mut index = 0;
    while index < 1024 {
        let (opcode, two, wide) = (index as u8, index & 256 != 0, index & 512 != 0);
        let what = match opcode {
            0xB8..=0xBF if !two && wide => 8,
            _ if two => two_bytes(opcode),
            _ => one_byte(opcode),
        };
        table[index] = entry(what, two);
        index += 1;
    }
    table
};

/// What a first byte is: 8, the bits to skip, if it is a REX prefix, and one more if it makes operands wide.
static PREFIXES: [u8; 256] = {
    let mut table = [0; 256];
    let mut rex = 0x40;
    while rex < 0x50 {
        table[rex] = 8 | (rex as u8 >> 3 & 1);
        rex += 1;
    }
    table
};

/// What follows an opcode of the map behind 0F.
fn behind_0f(opcode: u8) -> u16 {
    OPCODES[256 + usize::from(opcode)]
}

/// Bits of [`MODES`] that hold the bytes of ModRM, scale-index-base and displacement.
const LENGTH: u8 = 0x0F;
/// The displacement is relative to the next instruction.
const RELATIVE: u8 = 0x10;
/// A displacement of four bytes follows if the base in the byte behind ModRM is 5.
const BASELESS: u8 = 0x20;

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

static MODES: [u8; 256] = {
    let mut modes = [0; 256];
    let mut modrm = 0;
    while modrm < 256 {
        modes[modrm] = mode(modrm as u8);
        modrm += 1;
    }
    modes
};

/// What one instruction amounts to.
#[derive(Debug, Clone, Copy)]
struct Instruction {
    length: usize,
    /// Its entry of [`OPCODES`].
    what: u16,
    /// 1 when it has a relative field of 32 bits.
    relative: usize,
}

const UNKNOWN: Instruction = Instruction { length: 1, what: 1, relative: 0 };

/// Bytes behind the relative field of an instruction: its immediate, if that is not the field.
fn behind(what: u16) -> usize {
    if what & u16::from(JUMP) != 0 { 0 } else { usize::from((what & OWN) - own(what)) }
}

/// Bytes of an opcode.
fn own(what: u16) -> u16 {
    1 + what / TWO % 2
}

/// No instruction and its prefixes reach further.
const WINDOW: usize = 32;

/// Eight of the bytes, the first one lowest.
#[inline(always)]
fn eight(code: &[u8; WINDOW], at: usize) -> u64 {
    code[at..].first_chunk().copied().map_or(0, u64::from_le_bytes)
}

/// Decodes the instruction at the beginning. Without branches as far as possible: what comes next is hard to foresee. Its
/// first bytes are loaded once and shifted, as loads that wait for each other are what takes longest.
#[inline(always)]
fn instruction(code: &[u8; WINDOW]) -> Instruction {
    let first = eight(code, 0);
    let prefix = PREFIXES[usize::from(code[0])];
    let behind = first >> (prefix & 8);
    let two = u64::from(behind as u8 == 0x0F);
    let opcode = behind >> (8 * two);
    let what = OPCODES[usize::from(prefix & 1) << 9 | (two as usize) << 8 | usize::from(opcode as u8)];
    if what & u16::from(APART) != 0 {
        return apart(code);
    }
    operands(opcode >> 8, usize::from(prefix >> 3), what)
}

/// Decodes what follows an opcode at `at`: ModRM, if there is one, is the lowest byte of `rest`.
#[inline(always)]
fn operands(rest: u64, at: usize, what: u16) -> Instruction {
    let mode = MODES[usize::from(rest as u8)] & (what >> MODE_SHIFT) as u8;
    let mut length = at + usize::from(what & OWN) + usize::from(mode & LENGTH);
    if mode & BASELESS != 0 && rest >> 8 & 7 == 5 {
        length += 4;
    }
    let relative = usize::from(((what as u8 / JUMP) | (mode / RELATIVE)) & 1);
    Instruction { length, what, relative }
}

/// Decodes instructions that the tables do not tell. With an operand-size prefix others may follow.
#[cold]
fn apart(code: &[u8; WINDOW]) -> Instruction {
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
    let mut wide = 0;
    if code[at] & 0xF0 == 0x40 {
        wide = usize::from(code[at] >> 3 & 1);
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
                    entry(MODRM | u8::from(second == 0x3A), false)
                }
                _ => behind_0f(second),
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
                1 => behind_0f(opcode) & !u16::from(JUMP),
                2 | 5 | 6 => entry(MODRM, false),
                3 => entry(MODRM | 1, false),
                _ => entry(APART, false),
            }
        }
        0xF6 | 0xF7 => match (code[at] & 0x30 == 0, opcode) {
            (false, _) => entry(MODRM, false),
            (true, 0xF6) => entry(MODRM | 1, false),
            (true, _) => entry(MODRM | 4 | SIZED, false),
        },
        _ => OPCODES[wide << 9 | usize::from(opcode)],
    };
    if what & u16::from(APART) != 0 {
        return UNKNOWN;
    }
    if narrow && what & u16::from(SIZED) != 0 {
        what -= 2;
    }
    operands(eight(code, at), at - usize::from(own(what)), what)
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
    let mut parts = parts.filter(|(_, range)| !range.is_empty());
    let limit = code.len().saturating_sub(STEPS * WINDOW);
    let (mut lanes, mut places) = ([Lane::default(); LANES], [0; LANES]);
    // The end and the entry of each instruction, those without a field overwritten by the next one.
    let mut notes = [[0; STEPS]; LANES];
    loop {
        let mut idle = 0;
        for (number, (lane, at)) in lanes.iter_mut().zip(&mut places).enumerate() {
            while *at >= lane.limit {
                finish(code, (number, *lane), *at, &mut found);
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
                let Instruction { length, what, relative } = instruction(window);
                *at += length;
                notes[lane][counts[lane] % STEPS] = *at as u64 | u64::from(what) << 32;
                counts[lane] += relative;
            }
        }
        for (number, ((lane, notes), count)) in lanes.iter().zip(&notes).zip(counts).enumerate() {
            for note in &notes[..count] {
                let behind = behind((note >> 32) as u16);
                let at = *note as u32 as usize - 4 - behind;
                if at < lane.end {
                    found(number, lane.part, at, behind);
                }
            }
        }
    }
    lanes.into_iter().enumerate().zip(places).for_each(|(lane, at)| finish(code, lane, at, &mut found));
}

/// Sweeps what is left of one part, up to the end of the code.
fn finish(
    code: &[u8],
    (number, lane): (usize, Lane),
    mut at: usize,
    found: &mut impl FnMut(usize, usize, usize, usize),
) {
    while at < lane.end {
        let Instruction { length, what, relative } = match code[at..].first_chunk() {
            Some(window) => instruction(window),
            // The last ones, as if zeros followed.
            None => {
                let mut window = [0; WINDOW];
                window[..code.len() - at].copy_from_slice(&code[at..]);
                instruction(&window)
            }
        };
        at += length;
        if relative != 0 && at <= code.len() {
            let behind = behind(what);
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
            let found = instruction(&window);
            let found_field = found.relative * found.length.saturating_sub(4 + behind(found.what));
            assert_eq!((found.length, found_field), (length, field), "{bytes:02X?}");
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
