//! Small patches between two versions of an executable.
//!
//! A change of a few lines moves everything behind it, and with it every address in the machine code that points across
//! the change: bytes differ all over the file that say nothing new. [`diff`] finds out what moved where and has the
//! addresses computed; a patch holds what can not be. [`apply`] needs the old file, the patch and the new file's size.
//!
//! ```
//! let (old, new) = (b"the quick brown fox".repeat(9), b"the quick red fox".repeat(9));
//! let patch = staysail_delta::diff(&old, &new)?.expect("files of this size are compared");
//! assert_eq!(staysail_delta::apply(&old, &patch, new.len() as u64)?, new);
//! # Ok::<(), staysail_delta::Error>(())
//! ```
//!
//! # Theory of operation
//! 1. Both files are read as ELF, PE or Mach-O of x86-64 or arm64 (`elf`, `pe`, `macho`): which bytes have which addresses, and
//!    which parts refer to addresses in which form (`image`). Of anything else nothing is known, and what follows
//!    works with no references.
//! 2. All references are found: by a sweep over the code that decodes lengths of instructions (`x86`), or word by word
//!    (`arm64`), and in tables by their form (`image`).
//! 3. The files are compared with their references left out (`matching`), so that code is alike wherever it lies. The
//!    copies found tell what became of each place of the old file; a second comparison knows that and tells apart what
//!    refers to different things.
//! 4. For every copy, each reference in it is predicted (`predict`): what the old one referred to, where that lies now. A
//!    wrong guess is corrected once, and the correction is remembered for other references to the same place nearby: what is
//!    learned in one section of the new file is forgotten in the next one, which makes patches smaller, not larger (code
//!    that is near was moved together; what was learned far away misleads more than it helps).
//! 5. What still differs is written byte by byte. Copies, corrections and differences are streams of their own, each
//!    compressed with zstd (`wire`).
//!
//! What applying takes goes to steps 2 and 4 for the most part, and both are shared by processors with
//! nothing for them to wait for: code is swept in small parts of which each processor takes the next one, several at once, as
//! an instruction's length is known only after a chain of loads (`x86`, `references`); and each section of the new file is made
//! apart from all others, from its own part of the streams (`apply`): filled and corrected while it is in a processor's cache.
//! A reference's target is found out once and kept beside it, and whole copies and pieces of the mapping know what makes
//! addresses of their offsets. Where a processor would have to guess what comes next, as with the kinds of arm64's
//! instructions, all that may come is computed instead. The references of a copy are looked for where the one before ended,
//! or else where they would be if all lay equally far apart. Streams are unpacked while references are found. Memory that is
//! touched for the first time costs more than what is written to it: references are gathered in few large pieces, and a
//! large result is asked for in large pages (`memory`).
//!
//! The patch carries step 1's result for the reader, which knows no file formats (`apply`). Both sides predict by the same
//! code, and whatever it predicts wrongly is corrected: a mistake in steps 1 to 4 costs bytes, never correctness. The
//! format: `docs/spec/delta.md`.
//!
//! **Invariant:** no files, no network, no clock; memory beyond old file, patch and result is bounded by named limits.
//! Whether the result is what was wanted is for the caller to check, by its hash.

mod apply;
mod arm64;
mod diff;
mod elf;
mod go;
mod image;
mod macho;
mod matching;
mod memory;
mod pe;
mod predict;
mod references;
mod wire;
mod x86;

pub use apply::apply;
pub use diff::diff;

/// Largest file that patches are made of and for, old and new.
pub const PATCHED_FILE_BYTES_MAX: usize = 255 << 20;
/// Most bytes of all streams of one patch, decompressed.
pub const STREAMS_BYTES_MAX: usize = 15 << 20;
/// Largest file without code that patches are made of and for: of media and archives nothing is known that zstd does not
/// see as well. Such a patch is applied whatever the size.
pub const UNKNOWN_FILE_BYTES_MAX: usize = 16 << 20;
/// Bytes that are compared for each byte of both files until making a patch is given up, each look at another place
/// counted as 16. Programs take less than 10; long runs with changes in between would take as many as there are bytes.
pub const COMPARED_PER_BYTE_MAX: u64 = 64;
/// Bytes that may be compared however small the files are: about a second.
pub const COMPARED_BYTES_MIN: u64 = 1 << 28;
/// Most copies of one patch.
pub const COPIES_MAX: usize = 1 << 19;
/// Most references of an old file that are followed; those behind are bytes like others.
pub const REFERENCES_MAX: usize = 5 << 20;
/// Bytes of the new file that are made apart from the others.
pub const SECTION_BYTES: usize = 1 << 18;
/// Corrections that are remembered within a section.
pub const LEARNED_MAX: usize = 1 << 11;

/// Why a patch can not be made or applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The patch is damaged, made for another file, or not one at all. Nothing of it was used: fetch the whole file.
    #[error("the patch can not be applied: {0}; fetch the whole file instead")]
    Damaged(&'static str),
    /// zstd could not compress.
    #[error("the patch could not be compressed: {0}")]
    Compress(std::io::Error),
}
