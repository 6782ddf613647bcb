//! The descriptors of MPEG-4 systems, which tell the codec.

use crate::decode::container::be32;

/// What the descriptors of MPEG-4 systems say.
#[derive(Debug, Default, Clone)]
pub(in crate::decode) struct Descriptors {
    /// Which codec.
    pub(in crate::decode) object: Option<u8>,
    pub(in crate::decode) bit_rate: Option<u32>,
    /// The codec's own description.
    pub(in crate::decode) config: Option<Vec<u8>>,
}

/// Descriptors: a tag, a length of seven bits a byte, the content.
pub(in crate::decode) fn descriptors(content: &[u8]) -> Descriptors {
    let mut found = Descriptors::default();
    describe(content, &mut found, 0);
    found
}

fn describe(mut rest: &[u8], found: &mut Descriptors, depth: usize) {
    while let Some((&tag, more)) = rest.split_first() {
        let (mut length, mut used) = (0usize, 0);
        for byte in more.iter().take(4) {
            length = length << 7 | usize::from(byte & 0x7f);
            used += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let content = more.get(used..).unwrap_or_default();
        let content = &content[..length.min(content.len())];
        match tag {
            // The stream: a number, flags, and what these announce.
            3 if depth == 0 => {
                let flags = content.get(2).copied().unwrap_or(0);
                let mut skip = 3 + if flags & 0x80 != 0 { 2 } else { 0 };
                if flags & 0x40 != 0 {
                    skip += 1 + content.get(skip).map_or(0, |length| usize::from(*length));
                }
                skip += if flags & 0x20 != 0 { 2 } else { 0 };
                describe(content.get(skip..).unwrap_or_default(), found, 1);
            }
            4 if depth <= 1 => {
                found.object = content.first().copied();
                found.bit_rate = be32(content, 9);
                describe(content.get(13..).unwrap_or_default(), found, 2);
            }
            5 => found.config = Some(content.to_vec()),
            _ => {}
        }
        rest = more.get(used + content.len()..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_lead_to_the_codec() {
        let bytes = [
            3, 0x80, 0x80, 0x80, 0x19, 0, 1, 0, 4, 0x11, 0x40, 0x15, 0, 0, 0, 0, 1, 0xf4, 0, 0, 1, 0xf4, 0,
            5, 2, 0x12, 0x10, 6, 1, 2,
        ];
        let found = descriptors(&bytes);
        assert_eq!((found.object, found.bit_rate), (Some(0x40), Some(128_000)));
        assert_eq!(found.config.as_deref(), Some(&[0x12, 0x10][..]));
    }
}
