//! A model's tensors in a file.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, SafeTensors, View};

use crate::error::Error;
use crate::parameters::Tensors;

/// Writes the tensors as safetensors, one after another; the same tensors give the same bytes.
pub fn write(path: &Path, tensors: &Tensors) -> Result<(), Error> {
    let views = tensors.iter().map(|(name, (shape, values))| (name.as_str(), Host { shape, values }));
    let file = |source| Error::File { path: path.to_owned(), source };
    // It is written under another name that only its owner may read, and renamed: others may read it as they may any file.
    let permissions = fs::File::create(path).and_then(|file| file.metadata()).map_err(file)?.permissions();
    safetensors::serialize_to_file(views, None, path).map_err(|error| match error {
        SafeTensorError::IoError(source) => file(source),
        other => damaged(other),
    })?;
    fs::set_permissions(path, permissions).map_err(file)
}

/// A tensor that becomes bytes when it is written.
struct Host<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Host<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}

/// Reads the tensors.
pub fn read(path: &Path) -> Result<Tensors, Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    from_bytes(&fs::read(path).map_err(file)?)
}

/// Tensors from the bytes of a file. Whole numbers, such as PyTorch's count of batches, are passed over.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensors, Error> {
    let mut tensors = Tensors::new();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.iter() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect(),
            Dtype::F64 => {
                data.as_chunks::<8>().0.iter().map(|word| f64::from_le_bytes(*word) as f32).collect()
            }
            Dtype::BF16 => {
                data.as_chunks::<2>().0.iter().map(|word| brain(u16::from_le_bytes(*word))).collect()
            }
            Dtype::F16 => {
                data.as_chunks::<2>().0.iter().map(|word| half(u16::from_le_bytes(*word))).collect()
            }
            Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL => continue,
            other => return Err(Error::Checkpoint(format!("tensor {name} is {other}, which is not read"))),
        };
        tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// bfloat16: the upper half of an f32.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754's binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

fn damaged(error: SafeTensorError) -> Error {
    Error::Checkpoint(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn tensors() -> Tensors {
        Tensors::from([
            ("a.weight".to_owned(), (vec![2, 3], vec![0.0, -1.5, f32::MIN_POSITIVE, 1e30, 3.25, -0.0])),
            ("b".to_owned(), (vec![1], vec![0.1])),
        ])
    }

    fn bytes() -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), &tensors()).unwrap();
        fs::read(file.path()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(from_bytes(&bytes()).unwrap(), tensors());
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = bytes();
        assert!(from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(from_bytes(b"no checkpoint").is_err());
    }

    #[test]
    fn other_kinds_of_numbers_are_read_or_passed_over() {
        // 1.5, −2, the smallest normal and a subnormal half, and infinity.
        let halves: Vec<u8> =
            [0x3e00u16, 0xc000, 0x0400, 0x0001, 0x7c00].iter().flat_map(|half| half.to_le_bytes()).collect();
        let brains: Vec<u8> = [0x3fc0u16, 0xc000].iter().flat_map(|brain| brain.to_le_bytes()).collect();
        let (count, double) = (7i64.to_le_bytes(), 0.5f64.to_le_bytes());
        let view = |kind, shape: usize, data| TensorView::new(kind, vec![shape], data).unwrap();
        let all = [
            ("a", view(Dtype::F16, 5, &halves[..])),
            ("b", view(Dtype::BF16, 2, &brains[..])),
            ("norm.num_batches_tracked", view(Dtype::I64, 1, &count[..])),
            ("d", view(Dtype::F64, 1, &double[..])),
        ];
        let read = from_bytes(&safetensors::serialize(all, None).unwrap()).unwrap();
        assert_eq!(read["a"].1, [1.5, -2.0, 6.103_515_6e-5, 5.960_464_5e-8, f32::INFINITY]);
        assert_eq!(read["b"].1, [1.5, -2.0]);
        assert_eq!(read["d"].1, [0.5]);
        assert_eq!(read.len(), 3);
    }
}
