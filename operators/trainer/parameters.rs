//! A model's tensors on the host, by the names and in the layout that PyTorch uses.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::error::Error;
use crate::torch::Named;

/// Shapes and row-major values by dotted path.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Reads tensors out.
pub fn read(tensors: &Named) -> Result<Tensors, Error> {
    let host = |(name, tensor): &(String, Tensor)| {
        let shape = tensor.size().iter().map(|size| *size as usize).collect();
        let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
        let values = Vec::<f32>::try_from(flat)
            .map_err(|error| Error::Numeric(format!("{name} cannot be read: {error}")))?;
        Ok((name.clone(), (shape, values)))
    };
    tensors.iter().map(host).collect()
}

/// Gives tensors their values, in place; one that is missing or has another shape is an error. `source` may hold more.
pub fn load(tensors: &Named, source: &Tensors) -> Result<(), Error> {
    for (name, tensor) in tensors {
        let Some((shape, values)) = source.get(name) else {
            return Err(Error::Checkpoint(format!("tensor {name} is missing")));
        };
        set(name, tensor, shape, values)?;
    }
    Ok(())
}

/// As `load`, for a model: the source holds nothing else either.
pub fn load_all(tensors: &Named, source: &Tensors) -> Result<(), Error> {
    load(tensors, source)?;
    match source.keys().find(|name| !tensors.iter().any(|(known, _)| known == *name)) {
        Some(name) => Err(Error::Checkpoint(format!("the model has no tensor {name}"))),
        None => Ok(()),
    }
}

/// Gives tensors the values of those that the source has under the same name, under one of PyTorch's older names, or
/// with Hugging Face's prefix; tells which it lacks.
pub fn load_known(tensors: &Named, source: &Tensors) -> Result<Vec<String>, Error> {
    let mut lacking = Vec::new();
    for (name, tensor) in tensors {
        let other = older(name);
        let bare = name.strip_prefix("encoder.").unwrap_or(name);
        let whole = format!("wav2vec2.{bare}");
        let names = [name.as_str(), &other, bare, &older(bare), &whole, &older(&whole)];
        match names.iter().find_map(|name| source.get(*name)) {
            Some((shape, values)) => set(name, tensor, shape, values)?,
            None => lacking.push(name.clone()),
        }
    }
    Ok(lacking)
}

/// The name that weight norm's tensors had before PyTorch 2.0.
fn older(name: &str) -> String {
    name.replace(".parametrizations.weight.original0", ".weight_g")
        .replace(".parametrizations.weight.original1", ".weight_v")
}

fn set(name: &str, tensor: &Tensor, shape: &[usize], values: &[f32]) -> Result<(), Error> {
    let expected: Vec<usize> = tensor.size().iter().map(|size| *size as usize).collect();
    if *shape != expected || values.len() != expected.iter().product::<usize>() {
        let count = values.len();
        let message = format!("tensor {name} is {shape:?} with {count} values, the model has {expected:?}");
        return Err(Error::Checkpoint(message));
    }
    tch::no_grad(|| tensor.shallow_clone().copy_(&Tensor::from_slice(values).reshape(tensor.size())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn named(names: &[(&str, &[i64])]) -> Named {
        let tensor = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        names.iter().map(|(name, size)| ((*name).to_owned(), tensor(size))).collect()
    }

    fn source(names: &[(&str, &[usize])]) -> Tensors {
        let values = |shape: &[usize]| (0..shape.iter().product()).map(|index: usize| index as f32).collect();
        names.iter().map(|(name, shape)| ((*name).to_owned(), (shape.to_vec(), values(shape)))).collect()
    }

    #[test]
    fn what_is_loaded_is_read() {
        let model = named(&[("a", &[2, 3]), ("b", &[4])]);
        let values = source(&[("a", &[2, 3]), ("b", &[4])]);
        load_all(&model, &values).unwrap();
        assert_eq!(read(&model).unwrap(), values);
        assert!(model[0].1.requires_grad() && model[0].1.is_leaf());
    }

    #[test]
    fn errors_name_the_tensor() {
        let model = named(&[("a", &[2, 3]), ("b", &[4])]);
        let message = |values: &Tensors| load_all(&model, values).unwrap_err().to_string();
        assert!(message(&source(&[("a", &[2, 3])])).contains("b is missing"));
        assert!(message(&source(&[("a", &[3, 2]), ("b", &[4])])).contains("a is [3, 2]"));
        assert!(message(&source(&[("a", &[2, 3]), ("b", &[4]), ("c", &[1])])).contains("no tensor c"));
    }

    #[test]
    fn older_names_and_bare_names_are_known() {
        let model = named(&[("encoder.conv.parametrizations.weight.original0", &[2]), ("encoder.b", &[3])]);
        for name in [
            "wav2vec2.conv.weight_g",
            "conv.weight_g",
            "encoder.conv.weight_g",
            "conv.parametrizations.weight.original0",
        ] {
            assert_eq!(load_known(&model, &source(&[(name, &[2])])).unwrap(), ["encoder.b"]);
            assert_eq!(model[0].1.double_value(&[1]), 1.0);
            load_known(&model, &source(&[("encoder.conv.weight_g", &[2])])).unwrap();
        }
        assert_eq!(load_known(&model, &source(&[("wav2vec2.b", &[3])])).unwrap().len(), 1);
        assert!(load_known(&model, &source(&[("b", &[4])])).is_err());
    }
}
