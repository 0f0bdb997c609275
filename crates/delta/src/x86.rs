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
/// Bits that hold the immediate's bytes.
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

/// What follows an opcode. Index: the opcode; 256 more behind 0F; 512 more with a REX prefix that makes operands wide.
static OPCODES: [u8; 1024] = {
    let mut table = [0; 1024];
    let mut index = 0;
    while index < 1024 {
        let (opcode, two, wide) = (index as u8, index & 256 != 0, index & 512 != 0);
        table[index] = match opcode {
            0xB8..=0xBF if !two && wide => 8,
            _ if two => two_bytes(opcode),
            _ => one_byte(opcode),
        };
        index += 1;
    }
    table
};

/// What follows an opcode of the map behind 0F.
fn behind_0f(opcode: u8) -> u8 {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    length: usize,
    /// Where its relative 32 bits are, if that is not 0.
    field: usize,
}

const UNKNOWN: Instruction = Instruction { length: 1, field: 0 };
/// No instruction and its prefixes reach further.
const WINDOW: usize = 32;

/// Decodes the instruction at the beginning. Without branches as far as possible: what comes next is hard to foresee.
#[inline(always)]
fn instruction(code: &[u8; WINDOW]) -> Instruction {
    let rex = usize::from(code[0] & 0xF0 == 0x40);
    let wide = rex & usize::from(code[0] >> 3);
    let two = usize::from(code[rex] == 0x0F);
    let at = rex + two;
    let what = OPCODES[wide << 9 | two << 8 | usize::from(code[at])];
    if what & APART != 0 {
        return apart(code);
    }
    operands(code, at + 1, what)
}

/// Decodes what follows an opcode that ends before `at`.
#[inline(always)]
fn operands(code: &[u8; WINDOW], at: usize, what: u8) -> Instruction {
    let mode = MODES[usize::from(code[at])] & ((what / MODRM) & 1).wrapping_neg();
    let mut length = at + usize::from(mode & LENGTH) + usize::from(what & IMMEDIATE);
    if mode & BASELESS != 0 && code[at + 1] & 7 == 5 {
        length += 4;
    }
    let (jump, relative) = (usize::from((what / JUMP) & 1), usize::from((mode / RELATIVE) & 1));
    Instruction { length, field: (at + relative) * (jump | relative) }
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
                    MODRM | u8::from(second == 0x3A)
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
                1 => behind_0f(opcode) & !JUMP,
                2 | 5 | 6 => MODRM,
                3 => MODRM | 1,
                _ => APART,
            }
        }
        0xF6 | 0xF7 => match (code[at] & 0x30 == 0, opcode) {
            (false, _) => MODRM,
            (true, 0xF6) => MODRM | 1,
            (true, _) => MODRM | 4 | SIZED,
        },
        _ => OPCODES[wide << 9 | usize::from(opcode)],
    };
    if what & APART != 0 {
        return UNKNOWN;
    }
    if narrow && what & SIZED != 0 {
        what -= 2;
    }
    operands(code, at, what)
}

/// Parts of code that are swept at once: where an instruction begins is known only when the one before it is decoded, and
/// a processor waits less when there are several such chains.
pub(super) const LANES: usize = 4;
/// Instructions of each lane between two looks at what was found.
const STEPS: usize = 64;

/// Calls `found` for each relative 32-bit field that begins in one of the parts of `code`: with the part's number, the
/// field's place, and the bytes of the instruction behind it. In each part they come in order.
pub(super) fn sweep(code: &[u8], parts: [Range<usize>; LANES], mut found: impl FnMut(usize, usize, usize)) {
    let mut starts = parts.each_ref().map(|part| part.start);
    // As long as no lane is at its end, nothing but lengths is asked. All instructions are noted, those without a field
    // overwritten by the next one.
    let ends = parts.each_ref().map(|part| part.end.min(code.len().saturating_sub(STEPS * WINDOW)));
    let mut notes = [[(0, 0); STEPS + 1]; LANES];
    while starts.iter().zip(&ends).all(|(at, end)| at < end) {
        let mut counts = [0; LANES];
        for _ in 0..STEPS {
            for (lane, at) in starts.iter_mut().enumerate() {
                let Some(window) = code[*at..].first_chunk() else { break };
                let Instruction { length, field } = instruction(window);
                notes[lane][counts[lane]] = ((*at + field) as u32, length.wrapping_sub(field + 4) as u32);
                counts[lane] += usize::from(field != 0);
                *at += length;
            }
        }
        for (lane, (notes, count)) in notes.iter().zip(counts).enumerate() {
            let inside = notes[..count].iter().filter(|(at, _)| (*at as usize) < parts[lane].end);
            inside.for_each(|(at, behind)| found(lane, *at as usize, *behind as usize));
        }
    }
    for (lane, (mut at, part)) in starts.into_iter().zip(parts).enumerate() {
        while at < part.end {
            let instruction = match code[at..].first_chunk() {
                Some(window) => instruction(window),
                // The last ones, as if zeros followed.
                None => {
                    let mut window = [0; WINDOW];
                    window[..code.len() - at].copy_from_slice(&code[at..]);
                    instruction(&window)
                }
            };
            let field = at + instruction.field;
            if instruction.field != 0 && field < part.end && at + instruction.length <= code.len() {
                found(lane, field, instruction.length - instruction.field - 4);
            }
            at += instruction.length;
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
            assert_eq!(instruction(&window), Instruction { length, field }, "{bytes:02X?}");
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
                    sweep(&code, parts, |_, at, behind| assert!(at + 4 + behind <= length));
                }
            }
        }
    }
}
