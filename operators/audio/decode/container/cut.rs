//! A file that ends too early, as far as it goes.

use std::io;

use symphonia::core::io::MediaSource;

use crate::decode::source::{Part, Patched};

/// How such a file is read: up to the end of what is whole, and with lengths that end there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::decode) struct Cut {
    pub(super) end: u64,
    /// Places, and the bytes to be read there.
    pub(super) patches: Vec<(u64, Vec<u8>)>,
}

impl Cut {
    pub(in crate::decode) fn of(&self, source: Box<dyn MediaSource>) -> io::Result<Box<dyn MediaSource>> {
        let mut source: Box<dyn MediaSource> = Box::new(Part::new(source, 0, self.end)?);
        for (place, bytes) in &self.patches {
            source = Box::new(Patched::new(source, *place, bytes.clone())?);
        }
        Ok(source)
    }
}
