use std::path::Path;

use etude_learning::objective::Objective;
use etude_learning::train::Teacher as TeacherParameters;
use tch::{Kind, Tensor};

use super::measured::Measured;
use super::plus;
use super::setting::Setting;
use crate::data::Loaded;
use crate::error::Error;
use crate::head::{Teacher, decay};
use crate::mix::mix;
use crate::model::{Batch, Model};
use crate::optimizer::{Optimizer, clip_norm};
use crate::parameters::{self, Tensors};
use crate::pass::Pass;
use crate::schedule::{Schedule, Seen};
use crate::scope::Scope;
use crate::torch::{Named, named};
use crate::{checkpoint, device, memory, say};

/// What changes from step to step.
pub struct Trainer {
    pub model: Model,
    pub teacher: Option<Teacher>,
    pub schedule: Schedule,
    optimizer: Optimizer,
    /// All tensors of the model; they stay the same ones.
    tensors: Named,
}

impl Trainer {
    /// A model with its initial weights.
    pub fn new(setting: &Setting) -> Result<Self, Error> {
        let train = &setting.train;
        memory::check(setting)?;
        let scope = Scope::root(setting.weights_seed, setting.device);
        let model = Model::new(train, setting.clips, setting.plan.sampling, setting.sides(), &scope);
        let tensors = named(&model);
        if let Some(path) = &setting.init {
            begin_with(path, &tensors, &train.objective)?;
        }
        let teacher = model.teacher(train, setting.plan.sampling, &scope);
        let base = train.optimizer.chosen().learning_rate();
        Ok(Self {
            optimizer: Optimizer::new(&train.optimizer, &tensors),
            schedule: Schedule::new(&train.schedule, base, setting.total),
            model,
            teacher,
            tensors,
        })
    }

    /// Takes a step with the next batches; its numbers stay on the device.
    pub fn step(
        &mut self,
        setting: &Setting,
        step: u64,
        watched: bool,
        next: &mut dyn FnMut() -> Result<Loaded, Error>,
    ) -> Result<Measured, Error> {
        let train = &setting.train;
        let learning_rate = self.schedule.learning_rate(step);
        let mut measured = Measured::new(step, step / setting.per_epoch, learning_rate);
        let leaves = self.optimizer.tensors();
        let mut gradients: Vec<Tensor> = leaves.iter().map(|_| Tensor::new()).collect();
        let share = setting.accumulate() as f64;
        for number in 0..setting.accumulate() {
            let loaded = next()?;
            let key: [&[u8]; 5] = [
                b"step",
                &setting.seed.to_le_bytes(),
                setting.stage.as_bytes(),
                &step.to_le_bytes(),
                &number.to_le_bytes(),
            ];
            let pass = Pass::training(train.precision, step, &key);
            let (plan, rows) = (&setting.plan, loaded.clips.len() * setting.plan.views);
            let values = device::bring(&loaded.values, &plan.shape(rows), setting.device);
            let batch = Batch {
                values: mix(train, &values, plan.views, plan.sampling.rate, &pass),
                views: plan.views,
                clips: loaded.clips,
                items: loaded.items,
                masks: loaded.masks,
                masking: plan.masking,
                targets: setting.side(&loaded.sides, |side| side.codes.is_some()),
                features: setting.side(&loaded.sides, |side| side.codes.is_none()),
            };
            let done = self.model.step(&pass, &batch, self.teacher.as_ref())?;
            let loss = done.loss.value / share;
            let parts = Tensor::run_backward(&[&loss], &leaves, false, false);
            gradients = gradients.into_iter().zip(&parts).map(|(sum, part)| plus(sum, part)).collect();
            measured.add("loss", &loss);
            for (name, value) in &done.loss.measures {
                measured.add(name, &(value.detach().to_kind(Kind::Float) / share));
            }
            if watched {
                let views = done.vectors.size()[0] as usize / plan.clips.max(1);
                measured.watch(&done.vectors, done.projections.as_ref(), views);
            }
            measured.names.extend(loaded.names);
            measured.rows = rows;
        }
        if let Some(length) = clip_norm(&mut gradients, train.clip_norm) {
            measured.add("gradient_norm", &length);
        }
        self.optimizer.step(&gradients, learning_rate);
        if let Some(teacher) = &self.teacher {
            let TeacherParameters { decay: begin, end } = train.teacher.clone().unwrap_or_default();
            teacher.follow(&self.tensors, decay(begin, end, step, setting.total));
        }
        Ok(measured)
    }

    /// Everything that a step changes, on the host.
    pub fn tensors(&self) -> Result<Tensors, Error> {
        parameters::read(&self.all())
    }

    /// Goes on with that state.
    pub fn restore(&mut self, seen: Seen, tensors: &Tensors) -> Result<(), Error> {
        parameters::load_all(&self.all(), tensors)?;
        self.schedule.seen = seen;
        Ok(())
    }

    fn all(&self) -> Named {
        let share = |prefix: &str, tensors: Named| -> Named {
            tensors.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)).collect()
        };
        let teacher = self.teacher.as_ref().map(|teacher| share("teacher", named(teacher)));
        let model = share("model", named(&self.model));
        model.into_iter().chain(teacher.into_iter().flatten()).chain(self.optimizer.state()).collect()
    }
}

/// Gives a model the weights of a file, which has to have those of the encoder: all but the vector that stands for
/// frames that are not seen. What predicts what another stage gives is drawn anew, since another clustering numbers its codes
/// otherwise, and so is what an objective has of another size.
fn begin_with(path: &Path, tensors: &Named, objective: &Objective) -> Result<(), Error> {
    let mut source = checkpoint::read(path)?;
    for (index, _) in
        objective.terms().iter().enumerate().filter(|(_, term)| term.needs().targets || term.needs().features)
    {
        source.retain(|name, _| !name.starts_with(&format!("objectives.{index}.")));
    }
    source.retain(|name, (shape, _)| {
        let own = tensors.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.size());
        let fits = own.is_none_or(|own| own.iter().map(|size| *size as usize).eq(shape.iter().copied()));
        fits || !name.starts_with("objectives.")
    });
    let named =
        |error: Error| Error::Checkpoint(format!("the weights to begin with, {}: {error}", path.display()));
    let lacking = parameters::load_known(tensors, &source).map_err(named)?;
    let unseen = [".masked_spec_embed", ".mask_token"];
    let encoder =
        |name: &&String| name.starts_with("encoder.") && !unseen.iter().any(|unseen| name.ends_with(unseen));
    if let Some(first) = lacking.iter().find(encoder) {
        return Err(Error::Checkpoint(format!(
            "the weights to begin with, {}, are of another architecture: {} of the {} tensors of `encoder` are missing, the \
             first of them {first}",
            path.display(),
            lacking.iter().filter(encoder).count(),
            tensors.iter().filter(|(name, _)| name.starts_with("encoder.")).count(),
        )));
    }
    say::message(
        format!(
            "{} of {} tensors are those of {}",
            tensors.len() - lacking.len(),
            tensors.len(),
            path.display()
        ),
        &[],
    );
    Ok(())
}
