//! A file that ends too early: the box that it ends within is read as far as it goes.

use super::{BOXES, Window, be32, be64};
use crate::decode::container::Cut;
use crate::decode::failure::Failure;

/// None where no box reaches beyond the file.
pub(super) fn cut(window: &mut Window<'_>) -> Result<Option<Cut>, Failure> {
    let (end, mut at) = (window.length(), 0);
    for _ in 0..BOXES {
        let head = window.at_most(at, 16)?;
        let (place, length) = match be32(head, 0) {
            Some(1) => (at + 8, be64(head, 8)),
            length => (at, length.map(u64::from)),
        };
        // 0 says that it reaches to the end; what is shorter than its head is none.
        let Some(length) = length.filter(|length| *length >= 8) else { return Ok(None) };
        let to = at.saturating_add(length);
        if to > end {
            let rest = end - at;
            let long = rest.to_be_bytes();
            let bytes = if place > at { &long[..] } else { &long[4..] };
            return Ok(Some(Cut { end, patches: vec![(place, bytes.to_vec())] }));
        }
        at = to;
    }
    Ok(None)
}
