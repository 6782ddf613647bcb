//! Texts that carry their digest, so that a flipped bit is noticed.

use std::path::Path;

use crate::error::Error;

/// A text with its digest in the first line.
pub fn seal(text: &str) -> Vec<u8> {
    format!("{}\n{text}", blake3::hash(text.as_bytes()).to_hex()).into_bytes()
}

/// The text of what was sealed. `path` is for the message.
///
/// Errors: [`Error::Store`] where it does not match its digest.
pub fn unseal(path: &Path, sealed: Vec<u8>) -> Result<String, Error> {
    let damaged = || Error::Store {
        path: path.to_owned(),
        message: "is damaged: its content does not match its digest".into(),
    };
    let mut text = String::from_utf8(sealed).map_err(|_| damaged())?;
    let (digest, body) = text.split_once('\n').ok_or_else(damaged)?;
    if blake3::hash(body.as_bytes()).to_hex().as_str() != digest {
        return Err(damaged());
    }
    text.drain(..text.len() - body.len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_noticed() {
        let mut sealed = seal("text\nof two lines");
        assert_eq!(unseal(Path::new("a"), sealed.clone()).unwrap(), "text\nof two lines");
        *sealed.last_mut().unwrap() ^= 1;
        assert!(unseal(Path::new("a"), sealed).unwrap_err().to_string().contains("a: is damaged"));
    }
}
