//! The table of functions in a program of Go: for each function, distances to its code, its name and its other tables.
//!
//! Layout: `runtime/symtab.go` and `cmd/link/internal/ld/pcln.go` of Go 1.20 and newer.

use super::image::{Image, u32_at, u64_at};

/// Distances of a table count from one of so many places, in this order.
pub(super) const BASES: usize = 5;
const TEXT: usize = 0;
const NAMES: usize = 1;
const PROGRAMS: usize = 2;
const FUNCTIONS: usize = 3;
const DATA: usize = 4;
const MAGIC: u32 = 0xFFFF_FFF1;
/// Fields of a function's record in front of the lists at its end, and their bytes.
const FIELDS: [(usize, usize); 5] = [(0, TEXT), (4, NAMES), (16, PROGRAMS), (20, PROGRAMS), (24, PROGRAMS)];
const RECORD_BYTES: usize = 44;

/// Where distances of the table at `address` of a file count from; `None` when it is not laid out as known.
pub(super) fn bases(bytes: &[u8], image: &Image, address: u64) -> Option<[u64; BASES]> {
    let table = bytes.get(image.offset(address)? as usize..)?;
    let part = |at: usize| Some(address.wrapping_add(u64_at(table, at)?));
    if u32_at(table, 0)? != MAGIC || table.get(7) != Some(&8) {
        return None;
    }
    // The linker's description of the module begins with this table's address and that of the names in it.
    let names = part(32)?.to_le_bytes();
    let module = bytes.chunks_exact(8).enumerate().find_map(|(index, word)| {
        let found = word == address.to_le_bytes() && bytes.get(index * 8 + 8..index * 8 + 16)? == names;
        found.then_some(index * 8)
    })?;
    let field = |number: usize| u64_at(bytes, module + 8 * number);
    Some([field(22)?, part(32)?, part(56)?, part(64)?, field(40)?])
}

/// Calls `found` with each distance of a table, in order, and what it counts from.
pub(super) fn distances(table: &[u8], mut found: impl FnMut(usize, usize)) {
    let (Some(count), Some(functions)) = (u64_at(table, 8), u64_at(table, 64)) else { return };
    let Some(list) = usize::try_from(functions).ok().and_then(|start| table.get(start..)) else { return };
    let start = functions as usize;
    let count = (count as usize).min(list.len() / 8);
    for index in 0..count {
        found(start + 8 * index, TEXT);
        found(start + 8 * index + 4, FUNCTIONS);
    }
    let mut reach = 8 * count;
    for index in 0..count {
        let Some(at) = u32_at(list, 8 * index + 4).map(|at| at as usize) else { return };
        let (Some(programs), Some(last)) = (u32_at(list, at + 28), u32_at(list, at + 40)) else { continue };
        let (programs, data) = (programs as usize, (last >> 24) as usize);
        let end = at + RECORD_BYTES + 4 * (programs.min(255) + data);
        if at < reach || end > list.len() {
            continue;
        }
        reach = end;
        for (field, base) in FIELDS {
            found(start + at + field, base);
        }
        let lists = at + RECORD_BYTES;
        (0..programs.min(255)).for_each(|number| found(start + lists + 4 * number, PROGRAMS));
        let data_at = lists + 4 * programs.min(255);
        (0..data).for_each(|number| found(start + data_at + 4 * number, DATA));
    }
}
