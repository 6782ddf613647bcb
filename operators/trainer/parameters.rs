//! All persistent tensors of a model, by the names and in the layout that PyTorch would use.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::error::Error;
use crate::layout::transpose;
use crate::model::Model;

/// A tensor's dotted path, shape and row-major values.
pub type Named = (String, Vec<usize>, Vec<f32>);

/// Shapes and row-major values by dotted path.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Reads out every tensor, sorted by name.
pub fn export(model: &Model) -> Result<Vec<Named>, Error> {
    let mut exporter = Exporter::default();
    // `valid` folds in what the last forward pass has left pending in the running statistics.
    model.valid().visit(&mut exporter);
    let mut tensors = exporter.tensors.into_iter().collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(tensors)
}

/// Sets every tensor; a name that is missing, unknown or of another shape is an error.
pub fn import(model: Model, tensors: &Tensors) -> Result<Model, Error> {
    let training = model.projector.input.weight.is_autodiff();
    let mut importer = Importer { path: FieldPath::default(), tensors, used: BTreeSet::new(), failure: None };
    // Clones share their running statistics; those of `valid` are its own, with nothing pending.
    let model = model.valid().map(&mut importer);
    if let Some(error) = importer.failure {
        return Err(error);
    }
    if let Some(name) = tensors.keys().find(|name| !importer.used.contains(*name)) {
        return Err(Error::Checkpoint(format!("the model has no tensor {name}")));
    }
    Ok(if training { model.train() } else { model })
}

/// Where in the model a traversal is: field names and the types that hold them.
#[derive(Default)]
struct FieldPath(Vec<(String, String)>);

impl FieldPath {
    fn enter(&mut self, field: &str, container: &str) {
        self.0.push((field.to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>().join(".")
    }

    /// Whether Burn keeps this tensor as `[in, out]` and PyTorch as `[out, in]`.
    fn transposed(&self) -> bool {
        self.0.last().is_some_and(|(field, container)| field == "weight" && container == "Struct:Linear")
    }
}

#[derive(Default)]
struct Exporter {
    path: FieldPath,
    tensors: Vec<Result<Named, Error>>,
}

impl Exporter {
    fn read<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> Result<Named, Error> {
        let name = self.path.name();
        let tensor = if self.path.transposed() { parameter.val().transpose() } else { parameter.val() };
        let shape = tensor.dims().to_vec();
        let values = tensor.try_into_vec_as::<f32>();
        let values = values.map_err(|error| Error::Numeric(format!("{name} cannot be read: {error}")))?;
        Ok((name, shape, values))
    }
}

impl ModuleVisitor for Exporter {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = self.read(param);
        self.tensors.push(tensor);
    }
}

struct Importer<'a> {
    path: FieldPath,
    tensors: &'a Tensors,
    used: BTreeSet<String>,
    failure: Option<Error>,
}

impl Importer<'_> {
    fn replacement<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) -> Result<Tensor<D>, Error> {
        let name = self.path.name();
        let Some((shape, values)) = self.tensors.get(&name) else {
            return Err(Error::Checkpoint(format!("tensor {name} is missing")));
        };
        let dimensions = parameter.dims();
        let mut expected = dimensions.to_vec();
        if self.path.transposed() {
            expected.reverse();
        }
        if *shape != expected || values.len() != expected.iter().product::<usize>() {
            let count = values.len();
            let message =
                format!("tensor {name} is {shape:?} with {count} values, the model has {expected:?}");
            return Err(Error::Checkpoint(message));
        }
        let values =
            if self.path.transposed() { transpose(values, expected[0], expected[1]) } else { values.clone() };
        self.used.insert(name);
        Ok(Tensor::from_data(TensorData::new(values, dimensions), &parameter.device()))
    }
}

impl ModuleMapper for Importer<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.replacement(&param) {
            Ok(tensor) => param.map(|_| tensor),
            Err(error) => {
                self.failure.get_or_insert(error);
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu;

    fn tensors(model: &Model) -> Tensors {
        export(model).unwrap().into_iter().map(|(name, shape, values)| (name, (shape, values))).collect()
    }

    fn audio(device: &burn::tensor::Device) -> Tensor<2> {
        let samples: Vec<f32> =
            (0..256).map(|sample| (0.01 * f64::from(sample * sample)).sin() as f32).collect();
        Tensor::from_data(TensorData::new(samples, [4, 64]), device)
    }

    #[test]
    fn names_and_shapes_are_pytorchs() {
        let tensors = tensors(&Model::small(1, &cpu().autodiff()));
        let shapes: Vec<(&str, &[usize])> =
            tensors.iter().map(|(name, (shape, _))| (name.as_str(), shape.as_slice())).collect();
        let expected: [(&str, &[usize]); 14] = [
            ("encoder.blocks.0.conv.weight", &[4, 1, 3, 3]),
            ("encoder.blocks.0.norm.bias", &[4]),
            ("encoder.blocks.0.norm.running_mean", &[4]),
            ("encoder.blocks.0.norm.running_var", &[4]),
            ("encoder.blocks.0.norm.weight", &[4]),
            ("encoder.blocks.1.conv.weight", &[6, 4, 3, 3]),
            ("encoder.blocks.1.norm.bias", &[6]),
            ("encoder.blocks.1.norm.running_mean", &[6]),
            ("encoder.blocks.1.norm.running_var", &[6]),
            ("encoder.blocks.1.norm.weight", &[6]),
            ("projector.input.bias", &[5]),
            ("projector.input.weight", &[5, 6]),
            ("projector.output.bias", &[3]),
            ("projector.output.weight", &[3, 5]),
        ];
        assert_eq!(shapes, expected);
    }

    #[test]
    fn linear_weights_are_out_by_in() {
        let tensors = tensors(&Model::small(1, &cpu()));
        let drawn = crate::init::uniform(1, "projector.input.weight", 30, crate::init::bound(6));
        assert_eq!(tensors["projector.input.weight"].1, drawn);
    }

    #[test]
    fn seed_alone_decides() {
        let device = cpu().autodiff();
        assert_eq!(tensors(&Model::small(1, &device)), tensors(&Model::small(1, &device)));
        assert_ne!(tensors(&Model::small(1, &device)), tensors(&Model::small(2, &device)));
    }

    #[test]
    fn import_undoes_export_with_the_running_statistics() {
        let device = cpu().autodiff();
        let trained = Model::small(1, &device);
        trained.project(audio(&device));
        let expected = tensors(&trained);
        assert!(expected["encoder.blocks.1.norm.running_mean"].1.iter().any(|mean| *mean != 0.0));

        let other = Model::small(2, &device);
        other.project(audio(&device));
        let restored = import(other, &expected).unwrap();

        assert_eq!(tensors(&restored), expected);
        assert!(restored.project(audio(&device)).is_autodiff());
        let embedding = |model: &Model| model.valid().embed(audio(&cpu())).try_into_vec_as::<f32>().unwrap();
        assert_eq!(embedding(&import(Model::small(3, &cpu()), &expected).unwrap()), embedding(&trained));
    }

    #[test]
    fn import_leaves_clones_alone() {
        let model = Model::small(1, &cpu().autodiff());
        let before = tensors(&model);
        let mut changed = before.clone();
        changed.values_mut().for_each(|(_, values)| values.iter_mut().for_each(|value| *value += 1.0));
        import(model.clone(), &changed).unwrap();
        assert_eq!(tensors(&model), before);
    }

    #[test]
    fn errors_name_the_tensor() {
        let model = Model::small(1, &cpu());
        let complete = tensors(&model);
        let message = |tensors: &Tensors| import(model.clone(), tensors).unwrap_err().to_string();

        let mut missing = complete.clone();
        missing.remove("projector.input.bias");
        assert!(message(&missing).contains("projector.input.bias is missing"));

        let mut extra = complete.clone();
        extra.insert("projector.extra".to_owned(), (vec![1], vec![0.0]));
        assert!(message(&extra).contains("projector.extra"));

        let mut wrong = complete;
        wrong.insert("projector.input.weight".to_owned(), (vec![6, 5], vec![0.0; 30]));
        assert!(message(&wrong).contains("projector.input.weight is [6, 5]"));
    }
}
