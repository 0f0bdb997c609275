//! What deltas need to know of a PE file (Microsoft's PE format, 64 bits).

use super::image::{Form, Image, Region, u16_at, u32_at, u64_at};

const CODE: u32 = 0x20;
const EXECUTABLE: u32 = 0x2000_0000;
const WRITABLE: u32 = 0x8000_0000;

/// Reads a PE file; `None` when it is none, or none of x86-64 and arm64.
pub(super) fn read(bytes: &[u8]) -> Option<Image> {
    if bytes.get(..2)? != b"MZ" {
        return None;
    }
    let header = u32_at(bytes, 0x3C)? as usize;
    if bytes.get(header..)?.get(..4)? != b"PE\0\0" {
        return None;
    }
    let code = match u16_at(bytes, header + 4)? {
        0x8664 => Form::X86,
        0xAA64 => Form::Arm64,
        _ => return None,
    };
    let optional = header + 24;
    let base = u64_at(bytes, optional + 24)?;
    let end = u32::try_from(bytes.len()).ok()?;
    let mut image = Image { end, bases: vec![base], ..Image::default() };
    let table = optional + usize::from(u16_at(bytes, header + 20)?);
    for at in (0..usize::from(u16_at(bytes, header + 6)?)).map(|n| table + 40 * n) {
        let field = |offset: usize| u32_at(bytes, at + offset);
        let (memory, address) = (field(8)?, base.checked_add(u64::from(field(12)?))?);
        let (length, offset, flags) = (field(16)?.min(memory), field(20)?, field(36)?);
        image.add(u64::from(offset), u64::from(length), address, u64::from(memory))?;
        let form = match bytes.get(at..at + 8)? {
            b".pdata\0\0" => Form::Distances { base: 0, step: 4 },
            _ if flags & (CODE | EXECUTABLE) != 0 => code,
            _ if flags & WRITABLE != 0 => Form::Pointers,
            b".rdata\0\0" => Form::Tables,
            _ => continue,
        };
        if length > 0 {
            image.regions.push(Region { offset, length, form });
        }
    }
    Some(image)
}
