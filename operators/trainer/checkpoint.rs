//! A model's tensors in a file.

use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::error::Error;
use crate::parameters::Tensors;

/// Writes the tensors as safetensors; the same tensors give the same bytes.
pub fn write(path: &Path, tensors: &Tensors) -> Result<(), Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    fs::write(path, to_bytes(tensors)?).map_err(file)
}

/// Reads the tensors.
pub fn read(path: &Path) -> Result<Tensors, Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    from_bytes(&fs::read(path).map_err(file)?)
}

fn to_bytes(tensors: &Tensors) -> Result<Vec<u8>, Error> {
    let bytes: Vec<Vec<u8>> = tensors
        .values()
        .map(|(_, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, (shape, _)), bytes) in tensors.iter().zip(&bytes) {
        views.push((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(damaged)?));
    }
    safetensors::serialize(views, None).map_err(damaged)
}

/// Tensors from the bytes of a file.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensors, Error> {
    let mut tensors = Tensors::new();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(Error::Checkpoint(format!("tensor {name} is {}, not F32", view.dtype())));
        }
        let (words, _) = view.data().as_chunks::<4>();
        let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

fn damaged(error: SafeTensorError) -> Error {
    Error::Checkpoint(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Tensors {
        Tensors::from([
            ("a.weight".to_owned(), (vec![2, 3], vec![0.0, -1.5, f32::MIN_POSITIVE, 1e30, 3.25, -0.0])),
            ("b".to_owned(), (vec![1], vec![0.1])),
        ])
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(from_bytes(&to_bytes(&tensors()).unwrap()).unwrap(), tensors());
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = to_bytes(&tensors()).unwrap();
        assert!(from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(from_bytes(b"no checkpoint").is_err());
    }
}
