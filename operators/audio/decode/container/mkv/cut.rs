//! A file that ends too early: the segment and its last cluster are read up to the last whole block, and
//! what says where to look behind the end is passed over.

use super::ebml::{Element, element};
use super::{CLUSTER, ELEMENTS, SEEK_HEAD, Window};
use crate::decode::container::Cut;
use crate::decode::failure::Failure;

/// Bytes of the number of a segment, a cluster, a list of places; the length follows it.
const ID: u64 = 4;

/// None where the segment, whose content begins at a place, is whole or does not tell its length.
pub(super) fn cut(window: &mut Window<'_>, from: u64) -> Result<Option<Cut>, Failure> {
    let length = window.length();
    let Some(header) = element(window, 0)?.and_then(|header| header.to) else { return Ok(None) };
    let segment = element(window, header)?.filter(|segment| segment.to.is_some_and(|to| to > length));
    let Some(segment) = segment else { return Ok(None) };
    let mut patches = Vec::new();
    let (mut end, last) = whole(window, from, |at, element| {
        if element.id == SEEK_HEAD {
            patches.extend(void(at, element));
        }
    })?;
    if let Some((at, cluster)) = last.filter(|(_, cluster)| cluster.id == CLUSTER) {
        end = whole(window, cluster.from, |_, _| ())?.0;
        patches.push(shorter(at, cluster, end));
    }
    patches.push(shorter(header, segment, end));
    Ok(Some(Cut { end, patches }))
}

/// The end of the last element in a row that is whole, and the one behind it.
fn whole(
    window: &mut Window<'_>,
    from: u64,
    mut look: impl FnMut(u64, Element),
) -> Result<(u64, Option<(u64, Element)>), Failure> {
    let (length, mut at) = (window.length(), from);
    for _ in 0..ELEMENTS {
        let Some(found) = element(window, at)? else { return Ok((at, None)) };
        match found.to {
            Some(end) if end <= length => {
                look(at, found);
                at = end;
            }
            _ => return Ok((at, Some((at, found)))),
        }
    }
    Ok((at, None))
}

/// The length of an element that begins at a place and now ends at another.
fn shorter(at: u64, element: Element, end: u64) -> (u64, Vec<u8>) {
    let width = (element.from - at - ID).min(8);
    let length = end.saturating_sub(element.from) | 1 << (7 * width);
    (at + ID, length.to_be_bytes()[8 - width as usize..].to_vec())
}

/// An element that means nothing, in the place of another.
fn void(at: u64, element: Element) -> Option<(u64, Vec<u8>)> {
    let width = (element.from - at - 1).min(7);
    let length = (element.to? - at - 1).checked_sub(width)? | 1 << (7 * width);
    let mut bytes = vec![0xec];
    bytes.extend(&length.to_be_bytes()[8 - width as usize..]);
    Some((at, bytes))
}
