//! Which channels the elements of a packet have: ISO/IEC 14496-3, table 1.19 and section 4.4.1.1.

use crate::decode::codec::bits::High;

/// The kinds of elements.
pub(super) const SINGLE: u32 = 0;
pub(super) const PAIR: u32 = 1;
pub(super) const LOW: u32 = 3;
pub(super) const DATA: u32 = 4;
pub(super) const PROGRAM: u32 = 5;
pub(super) const FILL: u32 = 6;

/// Where loudspeakers are, numbered in the order of WAV.
const LEFT: usize = 0;
const CENTRE: usize = 2;
const LOW_FREQUENCIES: usize = 3;
const BACK_LEFT: usize = 4;
const LEFT_OF_CENTRE: usize = 6;
const BACK_CENTRE: usize = 8;
const SIDE_LEFT: usize = 9;

/// An element of one or two channels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Element {
    pub(super) kind: u32,
    /// The number that it has in packets, where that is known.
    pub(super) tag: Option<u32>,
    /// Which of the channels that are given its first one is; the second is the next.
    pub(super) first: usize,
}

impl Element {
    pub(super) fn channels(&self) -> usize {
        1 + usize::from(self.kind == PAIR)
    }
}

/// The elements of a packet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) elements: Vec<Element>,
}

impl Layout {
    /// Puts channels that are known by their places in the order of WAV.
    fn new(mut elements: Vec<Element>) -> Self {
        let places: Vec<(usize, usize)> =
            elements.iter().map(|element| (element.first, element.channels())).collect();
        for element in &mut elements {
            let before = places.iter().filter(|(place, _)| *place < element.first);
            element.first = before.map(|(_, channels)| channels).sum();
        }
        Self { elements }
    }

    /// That of more than two channels without a program configuration.
    pub(super) fn of(channels: usize) -> Option<Self> {
        let elements: &[(u32, usize)] = match channels {
            3 => &[(SINGLE, CENTRE), (PAIR, LEFT)],
            4 => &[(SINGLE, CENTRE), (PAIR, LEFT), (SINGLE, BACK_CENTRE)],
            5 => &[(SINGLE, CENTRE), (PAIR, LEFT), (PAIR, BACK_LEFT)],
            6 => &[(SINGLE, CENTRE), (PAIR, LEFT), (PAIR, BACK_LEFT), (LOW, LOW_FREQUENCIES)],
            8 => &[
                (SINGLE, CENTRE),
                (PAIR, LEFT),
                (PAIR, LEFT_OF_CENTRE),
                (PAIR, BACK_LEFT),
                (LOW, LOW_FREQUENCIES),
            ],
            _ => return None,
        };
        let element = |&(kind, first): &(u32, usize)| Element { kind, tag: None, first };
        Some(Self::new(elements.iter().map(element).collect()))
    }

    /// Reads a program configuration. Bytes are counted from the begin of `bits`. Where it does not tell where the
    /// loudspeakers are, channels come in its order, as ffmpeg gives them. `None` for one that ends too early, and
    /// for channels that are coded as parts of others.
    pub(super) fn read(bits: &mut High<'_>) -> Option<Self> {
        // Its number, the kind of AAC, and the rate.
        bits.read(4 + 2 + 4)?;
        let (front, side, back) = (bits.read(4)?, bits.read(4)?, bits.read(4)?);
        let (low, data, coupled) = (bits.read(2)?, bits.read(3)?, bits.read(4)?);
        // How channels may be mixed.
        for width in [4, 4, 3] {
            if bits.read(1)? == 1 {
                bits.read(width)?;
            }
        }
        let mut row = |count: u32, low: bool| {
            let kind = |bits: &mut High<'_>| if low { Some(LOW) } else { bits.read(1) };
            let element = |_| Some(Element { kind: kind(bits)?, tag: Some(bits.read(4)?), first: 0 });
            (0..count).map(element).collect::<Option<Vec<_>>>()
        };
        let rows = [row(front, false)?, row(side, false)?, row(back, false)?, row(low, true)?];
        bits.read(4 * data as usize + 5 * coupled as usize)?;
        bits.at = bits.at.next_multiple_of(8);
        let comment = bits.read(8)? as usize;
        bits.at = Some(bits.at + 8 * comment).filter(|at| *at <= 8 * bits.bytes.len())?;
        let mut elements = rows.concat();
        if coupled > 0 || elements.is_empty() {
            return None;
        }
        match places(&rows) {
            Some(places) => {
                elements.iter_mut().zip(places).for_each(|(element, place)| element.first = place);
            }
            None => {
                let mut next = 0;
                for element in &mut elements {
                    element.first = next;
                    next += element.channels();
                }
            }
        }
        Some(Self::new(elements))
    }

    /// Channels of all elements.
    pub(super) fn channels(&self) -> usize {
        self.elements.iter().map(Element::channels).sum()
    }
}

/// Where elements in front, at the side, at the back and for low frequencies are, if that is as usual.
fn places([front, side, back, low]: &[Vec<Element>; 4]) -> Option<Vec<usize>> {
    let pairs = |row: &[Element]| row.iter().all(|element| element.kind == PAIR).then_some(row.len());
    // A single one is the first in front, and the last at the back.
    let (centre, front) = match &front[..] {
        [first, rest @ ..] if first.kind == SINGLE => (Some(CENTRE), rest),
        pairs => (None, pairs),
    };
    let (behind, back) = match &back[..] {
        [rest @ .., last] if last.kind == SINGLE => (Some(BACK_CENTRE), rest),
        pairs => (None, pairs),
    };
    let front: &[usize] = match pairs(front)? {
        0 => &[],
        1 => &[LEFT],
        2 => &[LEFT_OF_CENTRE, LEFT],
        _ => return None,
    };
    let others: &[usize] = match (pairs(side)?, pairs(back)?) {
        (0, 0) => &[],
        (1, 0) => &[SIDE_LEFT],
        (0, 1) => &[BACK_LEFT],
        (1, 1) | (0, 2) => &[SIDE_LEFT, BACK_LEFT],
        _ => return None,
    };
    let low = match low.len() {
        0 => None,
        1 => Some(LOW_FREQUENCIES),
        _ => return None,
    };
    Some(centre.iter().chain(front).chain(others).chain(&behind).chain(&low).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &[u8]) -> Option<(Layout, usize)> {
        let mut bits = High { bytes: config, at: 16 };
        let layout = Layout::read(&mut bits)?;
        Some((layout, bits.at))
    }

    /// A configuration of such elements, whose numbers count each kind.
    fn written(rows: [&[u32]; 3], low: usize) -> Vec<u8> {
        let mut text = String::from("0001001000000000");
        text += "0000010100";
        rows.iter().for_each(|row| text += &format!("{:04b}", row.len()));
        text += &format!("{low:02b}0000000000");
        let mut numbers = [0; 2];
        for kind in rows.concat() {
            text += &format!("{kind:b}{:04b}", numbers[kind as usize]);
            numbers[kind as usize] += 1;
        }
        (0..low).for_each(|number| text += &format!("{number:04b}"));
        text += &"0".repeat(text.len().next_multiple_of(8) - text.len());
        // A comment of two bytes.
        text += "000000100110100001101001";
        text.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    /// The first channel of each element.
    fn firsts(rows: [&[u32]; 3], low: usize) -> Vec<usize> {
        let bytes = written(rows, low);
        let (layout, end) = read(&bytes).unwrap();
        assert_eq!(end, 8 * bytes.len());
        (2..bytes.len()).for_each(|length| assert!(read(&bytes[..length]).is_none(), "{length}"));
        layout.elements.iter().map(|element| element.first).collect()
    }

    #[test]
    fn a_program_configuration_is_read() {
        const S: u32 = SINGLE;
        const P: u32 = PAIR;
        assert_eq!(firsts([&[P], &[], &[]], 0), [0]);
        // 5.1 with channels at the back, and at the side.
        assert_eq!(firsts([&[S, P], &[], &[P]], 1), [2, 0, 4, 3]);
        assert_eq!(firsts([&[S, P], &[P], &[]], 1), [2, 0, 4, 3]);
        // 7.1: the sides come behind the back; so they do if both are said to be at the back.
        assert_eq!(firsts([&[S, P], &[P], &[P]], 1), [2, 0, 6, 4, 3]);
        assert_eq!(firsts([&[S, P], &[], &[P, P]], 1), [2, 0, 6, 4, 3]);
        assert_eq!(firsts([&[S, P, P], &[], &[P]], 1), [2, 6, 0, 4, 3]);
        assert_eq!(firsts([&[P], &[], &[S]], 0), [0, 2]);
        // What has no usual place.
        assert_eq!(firsts([&[S, P], &[S], &[P]], 0), [0, 1, 3, 4]);
        assert!(read(&written([&[], &[], &[]], 0)).is_none());
        // As ffmpeg writes it for 5.1 with channels at the side.
        let config = b"\x12\x00\x05\x08\x44\x00\x20\x00\xc4\x0d\x4c\x61\x76\x63\x35\x39\x2e\x33\x37\x2e\x31\x30\x30\x56\xe5\x00";
        let (layout, end) = read(config).unwrap();
        assert_eq!((layout.channels(), &config[end / 8..]), (6, &[0x56, 0xe5, 0x00][..]));
    }

    #[test]
    fn channels_come_in_the_order_of_wav() {
        let firsts = |channels| -> Vec<usize> {
            Layout::of(channels).unwrap().elements.iter().map(|element| element.first).collect()
        };
        assert_eq!(firsts(3), [2, 0]);
        assert_eq!(firsts(4), [2, 0, 3]);
        assert_eq!(firsts(5), [2, 0, 3]);
        assert_eq!(firsts(6), [2, 0, 4, 3]);
        assert_eq!(firsts(8), [2, 0, 6, 4, 3]);
        assert!(Layout::of(7).is_none());
    }
}
