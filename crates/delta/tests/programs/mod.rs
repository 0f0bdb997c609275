//! Made-up programs that are laid out as a linker would: code that calls code and refers to data, jump tables, pointers.

/// The same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() as usize) % limit.max(1)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// What the program is a file of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Elf,
    Pe,
    MachO,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    X86,
    Arm64,
}

/// A piece of a function.
enum Piece {
    /// Instructions without references.
    Plain(Vec<u8>),
    /// A call of the function with that identity.
    Call(usize),
    /// The address of a byte of the read-only data.
    Data(usize),
    /// The address of the jump table of that function.
    Table,
}

struct Function {
    identity: usize,
    pieces: Vec<Piece>,
}

pub struct Program {
    machine: Machine,
    functions: Vec<Function>,
    made: usize,
    data: Vec<u8>,
}

const BASE: u64 = 0x40_0000;
/// Where parts of the file begin: at multiples of it.
const PAGE: usize = 0x200;
/// Entries of each function's jump table, all into that function.
const ENTRIES: usize = 6;
/// Bytes of read-only data, at first.
const DATA: usize = 500;

impl Program {
    pub fn new(machine: Machine, random: &mut Random, functions: usize) -> Self {
        let data = random.bytes(DATA);
        let mut program = Self { machine, functions: Vec::new(), made: 0, data };
        for _ in 0..functions {
            let at = program.functions.len();
            program.add(at, random, functions);
        }
        program
    }

    /// Adds a function before the one at `at`, and some read-only data in front.
    pub fn insert(&mut self, at: usize, random: &mut Random) {
        let functions = self.functions.len();
        self.add(at, random, functions);
        // What is referred to by its distance from the end stays the same.
        self.data.splice(0..0, random.bytes(40));
    }

    fn add(&mut self, at: usize, random: &mut Random, others: usize) {
        let mut pieces = vec![Piece::Table];
        for _ in 0..8 {
            pieces.push(self.plain(random));
            pieces.push(match random.below(3) {
                0 => Piece::Data(random.below(DATA)),
                _ => Piece::Call(random.below(others)),
            });
        }
        self.functions.insert(at, Function { identity: self.made, pieces });
        self.made += 1;
    }

    fn plain(&self, random: &mut Random) -> Piece {
        Piece::Plain(match self.machine {
            // mov ecx, imm32; push rbx
            Machine::X86 => [&[0xB9][..], &random.bytes(4), &[0x53]].concat(),
            // movz of any register, of any number
            Machine::Arm64 => (0xD280_0000_u32 | random.below(1 << 21) as u32).to_le_bytes().to_vec(),
        })
    }

    fn length(&self, piece: &Piece) -> usize {
        match (piece, self.machine) {
            (Piece::Plain(bytes), _) => bytes.len(),
            (Piece::Call(_), Machine::X86) => 5,
            (Piece::Call(_), Machine::Arm64) => 4,
            (Piece::Data(_) | Piece::Table, Machine::X86) => 7,
            (Piece::Data(_) | Piece::Table, Machine::Arm64) => 8,
        }
    }

    /// One instruction, or a pair, at `at` that refers to `target`.
    fn reference(&self, piece: &Piece, at: u64, target: u64) -> Vec<u8> {
        match self.machine {
            Machine::X86 => {
                let code: &[u8] = if matches!(piece, Piece::Call(_)) { &[0xE8] } else { &[0x48, 0x8D, 0x05] };
                let next = at + code.len() as u64 + 4;
                [code, &(target.wrapping_sub(next) as u32).to_le_bytes()].concat()
            }
            Machine::Arm64 if matches!(piece, Piece::Call(_)) => {
                let words = (target.wrapping_sub(at) >> 2) as u32 & 0x3FF_FFFF;
                (0x9400_0000 | words).to_le_bytes().to_vec()
            }
            Machine::Arm64 => {
                let pages = ((target >> 12).wrapping_sub(at >> 12)) as u32;
                let page = 0x9000_0000 | (pages & 3) << 29 | (pages >> 2 & 0x7_FFFF) << 5;
                let low = 0x9100_0000 | (target as u32 & 0xFFF) << 10;
                [page.to_le_bytes(), low.to_le_bytes()].concat()
            }
        }
    }

    /// The program as a file.
    pub fn file(&self, container: Container) -> Vec<u8> {
        let code_at = PAGE;
        let mut starts = vec![0; self.made];
        let mut at = code_at;
        for function in &self.functions {
            starts[function.identity] = at;
            at += function.pieces.iter().map(|piece| self.length(piece)).sum::<usize>();
            at = at.next_multiple_of(16);
        }
        let tables_at = at.next_multiple_of(PAGE);
        let data_at = tables_at + self.made * ENTRIES * 4;
        let pointers_at = (data_at + self.data.len()).next_multiple_of(PAGE);
        let address = |at: usize| BASE + at as u64;
        let mut file = vec![0; code_at];
        for (index, function) in self.functions.iter().enumerate() {
            file.resize(starts[function.identity], if self.machine == Machine::X86 { 0xCC } else { 0 });
            for piece in &function.pieces {
                let target = match piece {
                    Piece::Plain(bytes) => {
                        file.extend_from_slice(bytes);
                        continue;
                    }
                    Piece::Call(identity) => starts[*identity],
                    Piece::Data(back) => data_at + self.data.len() - 1 - back,
                    Piece::Table => tables_at + index * ENTRIES * 4,
                };
                let bytes = self.reference(piece, address(file.len()), address(target));
                file.extend_from_slice(&bytes);
            }
        }
        file.resize(tables_at, 0);
        for (index, function) in self.functions.iter().enumerate() {
            let table = tables_at + index * ENTRIES * 4;
            for entry in 0..ENTRIES {
                let distance = (starts[function.identity] + 4 * entry).wrapping_sub(table) as u32;
                file.extend_from_slice(&distance.to_le_bytes());
            }
        }
        file.extend_from_slice(&self.data);
        file.resize(pointers_at, 0);
        for function in &self.functions {
            let start = starts[function.identity];
            // In Mach-O the loader adds the base, and the upper half links the pointers.
            let pointer = if container == Container::MachO { 1 << 51 | start as u64 } else { address(start) };
            file.extend_from_slice(&pointer.to_le_bytes());
        }
        let parts = [(code_at, tables_at), (tables_at, pointers_at), (pointers_at, file.len())];
        match container {
            Container::Elf => self.elf_headers(file, parts),
            Container::Pe => self.pe_headers(file, parts),
            Container::MachO => self.mach_o_headers(file, parts),
        }
    }

    fn pe_headers(&self, mut file: Vec<u8>, parts: [(usize, usize); 3]) -> Vec<u8> {
        let machine: u16 = if self.machine == Machine::X86 { 0x8664 } else { 0xAA64 };
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"MZ");
        put(0x3C, &[0x40]);
        put(0x40, b"PE\0\0");
        put(0x44, &machine.to_le_bytes());
        put(0x46, &[3]);
        put(0x54, &[112]);
        put(0x58 + 24, &BASE.to_le_bytes());
        let kinds: [(&[u8], u32); 3] =
            [(b".text", 0x6000_0020), (b".rdata", 0x4000_0040), (b".data", 0xC000_0040)];
        for (index, ((name, flags), (start, end))) in kinds.into_iter().zip(parts).enumerate() {
            let at = 0x58 + 112 + 40 * index;
            put(at, name);
            // Some memory of the last one has no bytes in the file.
            let memory = (end - start + if index == 2 { 0x100 } else { 0 }) as u32;
            for (offset, value) in
                [(8, memory), (12, start as u32), (16, (end - start) as u32), (20, start as u32), (36, flags)]
            {
                put(at + offset, &value.to_le_bytes());
            }
        }
        file
    }

    fn mach_o_headers(&self, mut file: Vec<u8>, parts: [(usize, usize); 3]) -> Vec<u8> {
        let machine: u32 = if self.machine == Machine::X86 { 0x0100_0007 } else { 0x0100_000C };
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &0xFEED_FACF_u32.to_le_bytes());
        put(4, &machine.to_le_bytes());
        put(16, &[3]);
        let kinds: [(&[u8], &[u8], u32); 3] =
            [(b"__TEXT", b"__text", 0x8000_0400), (b"__TEXT", b"__const", 0), (b"__DATA", b"__data", 0)];
        for (index, ((segment, section, flags), (start, end))) in kinds.into_iter().zip(parts).enumerate() {
            let at = 32 + 152 * index;
            // The first one holds the headers, too.
            let first = if index == 0 { 0 } else { start };
            put(at, &[0x19]);
            put(at + 4, &152_u32.to_le_bytes());
            put(at + 8, segment);
            let (address, length) = (BASE + first as u64, (end - first) as u64);
            for (offset, value) in [(24, address), (32, length + 0x100), (40, first as u64), (48, length)] {
                put(at + offset, &value.to_le_bytes());
            }
            put(at + 64, &[1]);
            put(at + 72, section);
            put(at + 72 + 32, &(BASE + start as u64).to_le_bytes());
            put(at + 72 + 40, &((end - start) as u64).to_le_bytes());
            put(at + 72 + 48, &(start as u32).to_le_bytes());
            put(at + 72 + 64, &flags.to_le_bytes());
        }
        file
    }

    fn elf_headers(&self, mut file: Vec<u8>, parts: [(usize, usize); 3]) -> Vec<u8> {
        let sections = [(".text", 6_u64), (".rodata", 2), (".data.rel.ro", 3)];
        let loaded = file.len();
        let mut names = vec![0];
        let mut headers = vec![0_u8; 64];
        for ((name, flags), (start, end)) in sections.into_iter().zip(parts) {
            headers.extend_from_slice(&(names.len() as u32).to_le_bytes());
            headers.extend_from_slice(&1_u32.to_le_bytes());
            for value in [flags, BASE + start as u64, start as u64, (end - start) as u64, 0, 0, 0] {
                headers.extend_from_slice(&value.to_le_bytes());
            }
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        let names_at = file.len();
        file.extend_from_slice(&names);
        let header = [names_at as u64, names.len() as u64];
        headers.extend_from_slice(&[0; 8]);
        headers.extend_from_slice(&[0; 16]);
        header.iter().for_each(|value| headers.extend_from_slice(&value.to_le_bytes()));
        headers.extend_from_slice(&[0; 24]);
        let table = file.len() as u64;
        file.extend_from_slice(&headers);
        let machine: u16 = if self.machine == Machine::X86 { 62 } else { 183 };
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(32, &64_u64.to_le_bytes());
        put(40, &table.to_le_bytes());
        for (at, value) in
            [(54, 56), (56, 1), (58, 64), (60, sections.len() as u16 + 2), (62, sections.len() as u16 + 1)]
        {
            put(at, &u16::to_le_bytes(value));
        }
        put(64, &1_u32.to_le_bytes());
        for (at, value) in [(8, 0), (16, BASE), (32, loaded as u64), (40, loaded as u64 + 0x100)] {
            put(64 + at, &u64::to_le_bytes(value));
        }
        file
    }
}
