//! What deltas need to know of an ELF file (System V ABI, 64 bits, little-endian).

use super::go;
use super::image::{Form, Image, Region, u16_at, u32_at, u64_at};

/// Type of a program header: bytes to load.
const LOADED: u32 = 1;
/// Types of a section.
const RELOCATIONS: u32 = 4;
const NO_BITS: u32 = 8;
/// Flags of a section.
const WRITABLE: u64 = 1;
const ALLOCATED: u64 = 2;
const EXECUTABLE: u64 = 4;

/// Reads an ELF file; `None` when it is none, or none of x86-64 and arm64.
pub(super) fn read(bytes: &[u8]) -> Option<Image> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let code = match u16_at(bytes, 18)? {
        62 => Form::X86,
        183 => Form::Arm64,
        _ => return None,
    };
    let end = u32::try_from(bytes.len()).ok()?;
    let mut image = Image { end, ..Image::default() };
    let (size, count) = (usize::from(u16_at(bytes, 54)?), usize::from(u16_at(bytes, 56)?));
    for at in entries(u64_at(bytes, 32)?, size, count) {
        if u32_at(bytes, at)? == LOADED {
            let field = |offset: usize| u64_at(bytes, at.saturating_add(offset));
            image.add(field(8)?, field(32)?, field(16)?, field(40)?)?;
        }
    }
    sections(bytes, code, &mut image)?;
    Some(image)
}

/// Where the entries of a table are.
fn entries(table: u64, size: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |number| (table as usize).saturating_add(number * size))
}

fn sections(bytes: &[u8], code: Form, image: &mut Image) -> Option<()> {
    let table = u64_at(bytes, 40)?;
    let (size, count, names) = (u16_at(bytes, 58)?, u16_at(bytes, 60)?, u16_at(bytes, 62)?);
    let (size, count, names) = (usize::from(size), usize::from(count), usize::from(names));
    let names =
        bytes.get(u64_at(bytes, entries(table, size, names + 1).last()?.saturating_add(24))? as usize..)?;
    for at in entries(table, size, count) {
        let word = |offset: usize| u32_at(bytes, at.saturating_add(offset));
        let field = |offset: usize| u64_at(bytes, at.saturating_add(offset));
        let name = names.get(word(0)? as usize..)?.split(|byte| *byte == 0).next()?;
        let (kind, flags, address) = (word(4)?, field(8)?, field(16)?);
        let (offset, length) = (u32::try_from(field(24)?).ok()?, u32::try_from(field(32)?).ok()?);
        // Not loaded, or without bytes in the file.
        if flags & ALLOCATED == 0 || kind == NO_BITS || length == 0 {
            continue;
        }
        let form = match name {
            b".eh_frame" => Form::Frames,
            b".eh_frame_hdr" => {
                image.bases.push(address);
                Form::Distances { base: image.bases.len() - 1, step: 4 }
            }
            b".gopclntab" => match go::bases(bytes, image, address) {
                Some(bases) => {
                    image.bases.extend(bases);
                    Form::Functions { base: image.bases.len() - go::BASES }
                }
                None => continue,
            },
            b".rodata" => Form::Tables,
            _ if flags & EXECUTABLE != 0 => code,
            // Relocations with addends, data that is written, and data that is written by relocations.
            _ if kind == RELOCATIONS || flags & WRITABLE != 0 => Form::Pointers,
            _ => continue,
        };
        image.regions.push(Region { offset, length, form });
    }
    image.regions.sort_by_key(|region| region.offset);
    Some(())
}
