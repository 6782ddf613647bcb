//! Bytes one after another, and what is wrong with them.

/// A file that is broken, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Bad {
    pub at: usize,
    pub message: String,
}

/// A place in the bytes of a file.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Goes to a byte, at most to the end.
    pub fn seek(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }

    /// What is wrong here.
    pub fn bad(&self, message: impl Into<String>) -> Bad {
        Bad { at: self.at, message: message.into() }
    }

    pub fn skip(&mut self, count: usize) -> Result<&'a [u8], Bad> {
        let rest = &self.bytes[self.at..];
        if rest.len() < count {
            return Err(self.bad(format!("bytes are missing: {count} expected, {} follow", rest.len())));
        }
        self.at += count;
        Ok(&rest[..count])
    }

    pub fn byte(&mut self) -> Result<u8, Bad> {
        Ok(self.skip(1)?[0])
    }

    pub fn short(&mut self) -> Result<u16, Bad> {
        let bytes = self.skip(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub fn long(&mut self) -> Result<u32, Bad> {
        Ok(u32::from(self.short()?) << 16 | u32::from(self.short()?))
    }

    /// A number of up to four bytes with 7 bits each; the last one has no upper bit.
    pub fn number(&mut self) -> Result<u32, Bad> {
        let mut number = 0;
        for _ in 0..4 {
            let byte = self.byte()?;
            number = number << 7 | u32::from(byte & 0x7F);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.bad("a number goes on beyond its four bytes"))
    }

    /// A byte of data, which has no upper bit.
    pub fn data(&mut self) -> Result<u8, Bad> {
        match self.byte()? {
            byte if byte < 0x80 => Ok(byte),
            byte => Err(Bad {
                at: self.at - 1,
                message: format!("0x{byte:02X} stands where 0 to 127 is expected"),
            }),
        }
    }
}
