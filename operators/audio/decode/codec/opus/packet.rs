//! What packets are made of: RFC 6716, section 3, and appendix B.

use std::ops::Range;

/// Bytes of a frame at most.
const MAX_BYTES: usize = 1275;

/// Frames of 2.5 ms in a packet at most.
const MAX_TIME: usize = 48;

/// A length of one or two bytes, and the bytes used.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes {
        [first @ 0..=251, ..] => Some((usize::from(*first), 1)),
        [first, second, ..] => Some((usize::from(*first) + 4 * usize::from(*second), 2)),
        _ => None,
    }
}

/// What a packet of many frames tells of them.
struct Many {
    frames: usize,
    /// Whether the frames differ in length.
    variable: bool,
    padding: usize,
    /// Where it ends.
    end: usize,
}

impl Many {
    fn read(packet: &[u8]) -> Option<Self> {
        let count = *packet.get(1)?;
        let (mut end, mut padding) = (2, 0);
        let mut more = count & 0x40 != 0;
        while more {
            let byte = usize::from(*packet.get(end)?);
            end += 1;
            padding += byte.min(254);
            more = byte == 255;
        }
        Some(Self { frames: usize::from(count & 0x3f), variable: count & 0x80 != 0, padding, end })
    }
}

/// Finds the frames of a packet, each of which is as long as `time` of 2.5 ms. `None` if it is damaged.
pub(super) fn frames(packet: &[u8], time: usize, frames: &mut Vec<Range<usize>>) -> Option<()> {
    let many = match packet.first()? & 3 {
        3 => Many::read(packet)?,
        code => Many { frames: if code == 0 { 1 } else { 2 }, variable: code == 2, padding: 0, end: 1 },
    };
    let (count, mut at) = (many.frames, many.end);
    let end = packet.len().checked_sub(many.padding).filter(|end| *end >= at)?;
    if count == 0 || count * time > MAX_TIME {
        return None;
    }
    let mut lengths = [(end - at) / count; MAX_TIME];
    if many.variable {
        for known in &mut lengths[..count - 1] {
            let used;
            (*known, used) = length(packet.get(at..end)?)?;
            at += used;
        }
        // The last takes what is left.
        lengths[count - 1] = (end - at).checked_sub(lengths[..count - 1].iter().sum())?;
    } else if lengths[0] * count != end - at {
        return None;
    }
    frames.clear();
    for length in &lengths[..count] {
        frames.push(at..at + length);
        at += length;
    }
    frames.iter().all(|frame| frame.len() <= MAX_BYTES).then_some(())
}

/// Takes a packet that tells its own length out of the begin of `bytes`, as one that does not; and how long it is.
pub(super) fn undelimited(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    // What stands before the length that is added, and what the frames take.
    let (head, tail) = match bytes.first()? & 3 {
        0 => (1, length(bytes.get(1..)?)?.0),
        1 => (1, 2 * length(bytes.get(1..)?)?.0),
        2 => {
            let (first, used) = length(bytes.get(1..)?)?;
            (1 + used, first + length(bytes.get(1 + used..)?)?.0)
        }
        _ => {
            let many = Many::read(bytes)?;
            let mut at = many.end;
            let last = |at| Some(length(bytes.get(at..)?)?.0);
            if many.variable {
                let mut sum = 0;
                for _ in 1..many.frames {
                    let (size, used) = length(bytes.get(at..)?)?;
                    (sum, at) = (sum + size, at + used);
                }
                (at, sum + last(at)? + many.padding)
            } else {
                (at, many.frames * last(at)? + many.padding)
            }
        }
    };
    let (_, added) = length(bytes.get(head..)?)?;
    let end = head + added + tail;
    let mut packet = bytes.get(..head)?.to_vec();
    packet.extend_from_slice(bytes.get(head + added..end)?);
    Some((packet, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_tell_their_length_are_taken_out() {
        // One frame of 3 bytes.
        assert_eq!(undelimited(&[0x00, 3, 1, 2, 3, 9, 9]), Some((vec![0x00, 1, 2, 3], 5)));
        // Two frames of 2 bytes each.
        assert_eq!(undelimited(&[0x01, 2, 1, 2, 3, 4, 9]), Some((vec![0x01, 1, 2, 3, 4], 6)));
        // Two frames of 1 and 2 bytes.
        assert_eq!(undelimited(&[0x02, 1, 2, 1, 2, 3, 9]), Some((vec![0x02, 1, 1, 2, 3], 6)));
        // Two frames of 1 and 2 bytes, and a byte of padding.
        assert_eq!(
            undelimited(&[0x03, 0xc2, 1, 1, 2, 1, 2, 3, 0, 9]),
            Some((vec![0x03, 0xc2, 1, 1, 1, 2, 3, 0], 9))
        );
        // Three frames of 1 byte each.
        assert_eq!(undelimited(&[0x03, 0x03, 1, 1, 2, 3, 9]), Some((vec![0x03, 0x03, 1, 2, 3], 6)));
        assert_eq!(undelimited(&[0x00, 200, 1]), None);
        assert_eq!(undelimited(&[]), None);
    }

    #[test]
    fn frames_are_found() {
        let mut found = Vec::new();
        let mut lengths = |packet: &[u8]| {
            frames(packet, 8, &mut found)
                .map(|()| found.iter().map(|range| packet[range.clone()].to_vec()).collect())
        };
        let none: Option<Vec<Vec<u8>>> = None;
        assert_eq!(lengths(&[0x00, 1, 2, 3]), Some(vec![vec![1, 2, 3]]));
        assert_eq!(lengths(&[0x00]), Some(vec![vec![]]));
        assert_eq!(lengths(&[0x01, 1, 2, 3, 4]), Some(vec![vec![1, 2], vec![3, 4]]));
        assert_eq!(lengths(&[0x01, 1, 2, 3]), none);
        assert_eq!(lengths(&[0x02, 1, 1, 2, 3]), Some(vec![vec![1], vec![2, 3]]));
        assert_eq!(lengths(&[0x02, 9, 1, 2, 3]), none);
        // Three frames; of variable length; with padding; with too much of it; too many; none.
        assert_eq!(lengths(&[0x03, 0x03, 1, 2, 3]), Some(vec![vec![1], vec![2], vec![3]]));
        assert_eq!(lengths(&[0x03, 0x03, 1, 2, 3, 4]), none);
        assert_eq!(lengths(&[0x03, 0x82, 2, 1, 2, 3]), Some(vec![vec![1, 2], vec![3]]));
        assert_eq!(lengths(&[0x03, 0x82, 4, 1, 2, 3]), none);
        assert_eq!(lengths(&[0x03, 0xc2, 2, 1, 1, 2, 0, 0]), Some(vec![vec![1], vec![2]]));
        assert_eq!(lengths(&[0x03, 0x41, 9, 1, 2]), none);
        assert_eq!(lengths(&[0x03, 0x07, 1, 2, 3, 4, 5, 6, 7]), none);
        assert_eq!(lengths(&[0x03, 0x00]), none);
        assert_eq!(lengths(&[0x03]), none);
        assert_eq!(lengths(&[]), none);
        assert_eq!(lengths(&[vec![0x00], vec![0; 1276]].concat()), none);
    }
}
