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
/// Bits that hold the immediate's bytes.
const IMMEDIATE: u8 = 0x0F;

const fn one_byte(opcode: u8) -> u8 {
    match opcode {
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

const fn table(two: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut opcode = 0;
    while opcode < 256 {
        table[opcode] = if two { two_bytes(opcode as u8) } else { one_byte(opcode as u8) };
        opcode += 1;
    }
    table
}

static ONE: [u8; 256] = table(false);
static TWO: [u8; 256] = table(true);

/// What one instruction amounts to.
struct Instruction {
    length: usize,
    /// Where its relative 32 bits are and how many bytes of it come after them.
    relative: Option<(usize, usize)>,
}

const UNKNOWN: Instruction = Instruction { length: 1, relative: None };

/// Decodes the instruction at the beginning of `code`; `None` when it is cut off.
#[inline]
fn instruction(code: &[u8]) -> Option<Instruction> {
    // Nearly all instructions: at most a REX prefix, and an opcode of one byte.
    if let Some(window) = code.first_chunk::<16>() {
        let rex = usize::from(window[0] & 0xF0 == 0x40);
        let what = ONE[usize::from(window[rex])];
        if what & APART == 0 {
            return operands(code, rex + 1, what);
        }
    }
    prefixed(code)
}

/// Decodes an instruction that may have any prefixes.
fn prefixed(code: &[u8]) -> Option<Instruction> {
    let (mut at, mut narrow, mut wide) = (0, false, false);
    loop {
        match *code.get(at)? {
            0x66 => narrow = true,
            0x26 | 0x2E | 0x36 | 0x3E | 0x64 | 0x65 | 0x67 | 0xF0 | 0xF2 | 0xF3 => {}
            _ => break,
        }
        at += 1;
        if at > 14 {
            return Some(UNKNOWN);
        }
    }
    if code.get(at)? & 0xF0 == 0x40 {
        wide = code[at] & 8 != 0;
        at += 1;
    }
    let opcode = *code.get(at)?;
    at += 1;
    let mut what = match opcode {
        0x0F => {
            let second = *code.get(at)?;
            at += 1;
            match second {
                0x38 | 0x3A => {
                    at += 1;
                    MODRM | u8::from(second == 0x3A)
                }
                _ => TWO[usize::from(second)],
            }
        }
        0xC4 | 0xC5 | 0x62 => {
            let map = if opcode == 0xC5 { 1 } else { *code.get(at)? & 7 };
            at += match opcode {
                0xC5 => 1,
                0xC4 => 2,
                _ => 3,
            };
            let opcode = *code.get(at)?;
            at += 1;
            match map {
                1 => TWO[usize::from(opcode)] & !JUMP,
                2 | 5 | 6 => MODRM,
                3 => MODRM | 1,
                _ => APART,
            }
        }
        0xF6 | 0xF7 => match (*code.get(at)? & 0x30 == 0, opcode) {
            (false, _) => MODRM,
            (true, 0xF6) => MODRM | 1,
            (true, _) => MODRM | 4 | SIZED,
        },
        0xB8..=0xBF if wide => 8,
        0xB8..=0xBF => 4 | SIZED,
        _ => ONE[usize::from(opcode)],
    };
    if what & APART != 0 {
        return Some(UNKNOWN);
    }
    if narrow && what & SIZED != 0 {
        what -= 2;
    }
    operands(code, at, what)
}

/// Decodes what follows an opcode that ends before `at`.
#[inline(always)]
fn operands(code: &[u8], mut at: usize, what: u8) -> Option<Instruction> {
    let immediate = usize::from(what & IMMEDIATE);
    if what & JUMP != 0 {
        return Some(Instruction { length: at + 4, relative: Some((at, 0)) });
    }
    let mut relative = None;
    if what & MODRM != 0 {
        let modrm = *code.get(at)?;
        at += 1;
        let (mode, register) = (modrm >> 6, modrm & 7);
        if mode != 3 {
            let mut wide_displacement = mode == 2;
            if register == 4 {
                let scaled = *code.get(at)?;
                at += 1;
                wide_displacement |= mode == 0 && scaled & 7 == 5;
            } else if mode == 0 && register == 5 {
                relative = Some((at, immediate));
                wide_displacement = true;
            }
            at += if wide_displacement { 4 } else { usize::from(mode == 1) };
        }
    }
    Some(Instruction { length: at + immediate, relative })
}

/// Calls `found` with the place of each relative 32-bit field of the instructions that begin in a part of `code`, and the
/// bytes of the instruction behind it.
pub(super) fn sweep(code: &[u8], part: Range<usize>, mut found: impl FnMut(usize, usize)) {
    let mut at = part.start;
    while at < part.end
        && let Some(instruction) = instruction(&code[at..])
    {
        if let Some((field, behind)) = instruction.relative
            && at + field + 4 + behind <= code.len()
        {
            found(at + field, behind);
        }
        at += instruction.length;
    }
}
