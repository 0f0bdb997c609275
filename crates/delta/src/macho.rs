//! What deltas need to know of a Mach-O file (`mach-o/loader.h`, 64 bits, one machine).

use super::go;
use super::image::{Form, Image, Region, u32_at, u64_at};

const SEGMENT: u32 = 0x19;
/// A section's flags: only instructions, and some.
const INSTRUCTIONS: u32 = 0x8000_0400;
/// A section's type: nothing in the file.
const ZERO_FILLED: [u32; 3] = [1, 12, 18];

/// Reads a Mach-O file; `None` when it is none, or none of x86-64 and arm64.
pub(super) fn read(bytes: &[u8]) -> Option<Image> {
    if u32_at(bytes, 0)? != 0xFEED_FACF {
        return None;
    }
    let code = match u32_at(bytes, 4)? {
        0x0100_0007 => Form::X86,
        0x0100_000C => Form::Arm64,
        _ => return None,
    };
    let end = u32::try_from(bytes.len()).ok()?;
    let mut image = Image { end, ..Image::default() };
    let mut at = 32;
    for _ in 0..u32_at(bytes, 16)? {
        let (command, size) = (u32_at(bytes, at)?, u32_at(bytes, at + 4)?);
        if command == SEGMENT {
            segment(bytes, at, code, &mut image)?;
        }
        at = at.checked_add(size.max(8) as usize)?;
    }
    image.regions.sort_by_key(|region| region.offset);
    Some(image)
}

fn segment(bytes: &[u8], at: usize, code: Form, image: &mut Image) -> Option<()> {
    let name = bytes.get(at.checked_add(8)?..)?;
    let field = |offset: usize| u64_at(bytes, at.saturating_add(offset));
    let (address, memory, offset, length) = (field(24)?, field(32)?, field(40)?, field(48)?);
    if image.bases.is_empty() && length > 0 {
        image.bases.push(address);
    }
    // The part in front that is there to catch null pointers has no bytes, and nothing refers to it.
    image.add(offset, length, address, if length == 0 { 0 } else { memory })?;
    let count = u32_at(bytes, at.saturating_add(64))? as usize;
    for section in (0..count).map(|number| at.saturating_add(72 + 80 * number)) {
        let word = |offset: usize| u32_at(bytes, section.saturating_add(offset));
        let address = u64_at(bytes, section.saturating_add(32))?;
        let length = u32::try_from(u64_at(bytes, section.saturating_add(40))?).ok()?;
        let (offset, flags) = (word(48)?, word(64)?);
        if length == 0 || ZERO_FILLED.contains(&(flags & 0xFF)) {
            continue;
        }
        let form = match bytes.get(section..)?.get(..16)?.split(|byte| *byte == 0).next()? {
            b"__gopclntab" => match go::bases(bytes, image, address) {
                Some(bases) => {
                    image.bases.extend(bases);
                    Form::Functions { base: image.bases.len() - go::BASES }
                }
                None => continue,
            },
            _ if flags & INSTRUCTIONS != 0 => code,
            b"__const" if name.starts_with(b"__TEXT\0") => Form::Tables,
            // Pointers of which the lower half is a distance from the beginning and the upper half links them.
            _ if name.starts_with(b"__DATA") => Form::Distances { base: 0, step: 8 },
            _ => continue,
        };
        image.regions.push(Region { offset, length, form });
    }
    Some(())
}
