//! From positions in compiled code back to the file that its author knows.

/// One mapping: a position in the compiled code and where it came from, all from 0, columns in UTF-16 code units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mapping {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) source_line: u32,
    pub(super) source_column: u32,
}

/// Positions of compiled code in their source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMap {
    source: String,
    /// Ordered by position in the compiled code.
    mappings: Vec<Mapping>,
}

impl SourceMap {
    pub(super) fn new(source: &str, mut mappings: Vec<Mapping>) -> Self {
        mappings.sort_unstable();
        Self { source: source.to_owned(), mappings }
    }

    /// The guest path of the source file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Source path, line and column of a position in the compiled code. Lines and columns, given and returned, count
    /// from 1; columns in UTF-16 code units, as V8 counts them. None before the first mapping of a line.
    pub fn lookup(&self, line: u32, column: u32) -> Option<(&str, u32, u32)> {
        let (line, column) = (line.checked_sub(1)?, column.saturating_sub(1));
        let after = self.mappings.partition_point(|mapping| (mapping.line, mapping.column) <= (line, column));
        let mapping = self.mappings.get(after.checked_sub(1)?).filter(|mapping| mapping.line == line)?;
        Some((&self.source, mapping.source_line + 1, mapping.source_column + 1))
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        self.source.len() + self.mappings.len() * size_of::<Mapping>()
    }

    /// Appends the mappings in a compact form.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut last = Mapping { line: 0, column: 0, source_line: 0, source_column: 0 };
        put(out, self.mappings.len() as u64);
        for mapping in &self.mappings {
            let same_line = mapping.line == last.line;
            put(out, u64::from(mapping.line - last.line));
            put(out, u64::from(mapping.column - if same_line { last.column } else { 0 }));
            put_signed(out, i64::from(mapping.source_line) - i64::from(last.source_line));
            put_signed(out, i64::from(mapping.source_column) - i64::from(last.source_column));
            last = *mapping;
        }
    }

    /// Reads what [`SourceMap::encode`] wrote; none when it is anything else.
    pub(super) fn decode(source: &str, input: &mut &[u8]) -> Option<Self> {
        let count = usize::try_from(take(input)?).ok()?;
        // A mapping takes at least four bytes.
        if count > input.len() / 4 {
            return None;
        }
        let mut mappings = Vec::with_capacity(count);
        let mut last = Mapping { line: 0, column: 0, source_line: 0, source_column: 0 };
        for _ in 0..count {
            let lines = u32::try_from(take(input)?).ok()?;
            let columns = u32::try_from(take(input)?).ok()?;
            let base = if lines == 0 { last.column } else { 0 };
            last = Mapping {
                line: last.line.checked_add(lines)?,
                column: base.checked_add(columns)?,
                source_line: moved(last.source_line, take_signed(input)?)?,
                source_column: moved(last.source_column, take_signed(input)?)?,
            };
            mappings.push(last);
        }
        Some(Self { source: source.to_owned(), mappings })
    }
}

fn moved(from: u32, by: i64) -> Option<u32> {
    u32::try_from(i64::from(from).checked_add(by)?).ok().filter(|value| *value < u32::MAX)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn take(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_signed(input: &mut &[u8]) -> Option<i64> {
    let value = take(input)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}
