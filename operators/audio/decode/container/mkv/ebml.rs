//! Elements and what they hold.

use super::window::Window;
use crate::decode::container::bytes_at;
use crate::decode::failure::Failure;

/// An element: its number, and the place of its content; none where its end is not known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    pub(super) id: u32,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
}

/// The element at a place; none where there is none.
pub(super) fn element(window: &mut Window<'_>, at: u64) -> Result<Option<Element>, Failure> {
    let head = window.at_most(at, 12)?;
    let Some(first) = head.first().copied().filter(|first| *first >= 0x10) else { return Ok(None) };
    let id_length = first.leading_zeros() as usize + 1;
    let Some(bytes) = head.get(..id_length) else { return Ok(None) };
    let id = bytes.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let Some((size, used)) = head.get(id_length..).and_then(variable) else { return Ok(None) };
    let from = at + (id_length + used) as u64;
    Ok(Some(Element { id, from, to: size.and_then(|size| from.checked_add(size)) }))
}

/// A number whose first bits tell its length; none when it is not known.
fn variable(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    let rest = bytes.get(1..length).filter(|_| length <= 8)?;
    let value =
        rest.iter().fold(u64::from(first) & (0xff >> length), |value, byte| value << 8 | u64::from(*byte));
    Some(((value != (1 << (7 * length)) - 1).then_some(value), length))
}

/// The track of a block.
pub(super) fn block(window: &mut Window<'_>, element: Element) -> Result<u64, Failure> {
    let head = window.at_most(element.from, 8)?;
    Ok(variable(head).and_then(|(number, _)| number).unwrap_or(0))
}

/// Its bytes, not more than so many.
pub(super) fn content(window: &mut Window<'_>, element: Element, most: u64) -> Result<Vec<u8>, Failure> {
    let length = element.to.map_or(0, |to| to - element.from).min(most);
    Ok(window.at_most(element.from, usize::try_from(length).unwrap_or(0))?.to_vec())
}

/// What it holds as a number.
pub(super) fn number(window: &mut Window<'_>, element: Element) -> Result<u64, Failure> {
    Ok(content(window, element, 8)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// The same with a sign.
pub(super) fn signed(window: &mut Window<'_>, element: Element) -> Result<i64, Failure> {
    let bytes = content(window, element, 8)?;
    let first = bytes.first().map_or(0, |first| i64::from(*first as i8));
    Ok(bytes.iter().skip(1).fold(first, |value, byte| value << 8 | i64::from(*byte)))
}

/// The same with a fraction.
pub(super) fn float(window: &mut Window<'_>, element: Element) -> Result<f64, Failure> {
    let bytes = content(window, element, 8)?;
    Ok(match bytes.len() {
        4 => bytes_at(&bytes, 0).map_or(0.0, |bytes| f64::from(f32::from_be_bytes(bytes))),
        8 => bytes_at(&bytes, 0).map_or(0.0, f64::from_be_bytes),
        _ => 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn numbers_tell_their_length() {
        assert_eq!(variable(&[0x81]), Some((Some(1), 1)));
        assert_eq!(variable(&[0x40, 0x7f]), Some((Some(0x7f), 2)));
        assert_eq!(variable(&[0x01, 0, 0, 0, 0, 0, 1, 0]), Some((Some(256), 8)));
        assert_eq!(variable(&[0xff]), Some((None, 1)));
        assert_eq!(variable(&[0x40]), None);
        assert_eq!(variable(&[0x00]), None);
    }
}
