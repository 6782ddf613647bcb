use burn::module::Module;
use etude_learning::train::Quantizer as Parameters;
use tch::{Kind, Tensor};

use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

/// A product quantiser whose entries a Gumbel softmax chooses, and the layers that bring frames and targets to one
/// width (Hugging Face's Wav2Vec2ForPreTraining).
#[derive(Module, Debug)]
pub struct Quantizer {
    /// `[1, groups · entries, dim / groups]`.
    codevectors: Weight<3>,
    weight_proj: Linear,
    project_q: Linear,
    project_hid: Linear,
    #[module(skip)]
    parameters: Parameters,
}

/// Frames that were quantised.
pub struct Quantised {
    /// In the width of comparison, `[batch, frames, projection]`.
    pub targets: Tensor,
    /// Which entry of each group, `[batch, frames, groups]`.
    pub codes: Tensor,
    /// The logits of all entries, `[batch · frames, groups, entries]`.
    pub logits: Tensor,
}

impl Quantizer {
    /// For frames of `features` values before the transformer and `width` after it.
    pub fn new(parameters: &Parameters, features: usize, width: usize, scope: &Scope) -> Self {
        let Parameters { groups, entries, dim, projection, .. } = *parameters;
        Self {
            codevectors: scope.at("codevectors").unit([1, groups * entries, dim / groups]),
            weight_proj: Linear::normal(&scope.at("weight_proj"), features, groups * entries, 1.0),
            project_q: Linear::new(&scope.at("project_q"), dim, projection, true),
            project_hid: Linear::new(&scope.at("project_hid"), width, projection, true),
            parameters: parameters.clone(),
        }
    }

    /// Frames `[batch, frames, features]`: an entry of each group is drawn in training, the likeliest taken elsewhere.
    pub fn quantise(&self, pass: &Pass, frames: &Tensor) -> Quantised {
        let Parameters { groups, entries, dim, .. } = self.parameters;
        let (groups, entries, dim) = (groups as i64, entries as i64, dim as i64);
        let (batch, count) = (frames.size()[0], frames.size()[1]);
        let logits = f32(&self.weight_proj.forward(pass, frames)).view([batch * count, groups, entries]);
        let (codes, chosen) = if pass.training {
            let temperature = self.temperature(pass.step);
            let uniform =
                Tensor::rand(logits.size(), (Kind::Float, logits.device())).clamp(1e-10, 1.0 - 1e-7);
            let soft = ((&logits - (-uniform.log()).log()) / temperature).softmax(-1, Kind::Float);
            let codes = soft.argmax(-1, false);
            let hard = one_hot(&codes, entries);
            // The value is the hard choice, the gradient the softmax's.
            (codes, &hard - soft.detach() + &soft)
        } else {
            let codes = logits.argmax(-1, false);
            let hard = one_hot(&codes, entries);
            (codes, hard)
        };
        let vectors = tensor(&self.codevectors).view([groups, entries, dim / groups]);
        // [groups, frames, entries] by [groups, entries, width].
        let quantised = chosen.transpose(0, 1).bmm(&vectors).transpose(0, 1).reshape([batch, count, dim]);
        Quantised {
            targets: f32(&self.project_q.forward(pass, &quantised)),
            codes: codes.view([batch, count, groups]),
            logits,
        }
    }

    /// Frames after the transformer, `[batch, frames, width]`, in the width of comparison.
    pub fn compare(&self, pass: &Pass, context: &Tensor) -> Tensor {
        f32(&self.project_hid.forward(pass, context))
    }

    /// The temperature at a step.
    fn temperature(&self, step: u64) -> f64 {
        let Parameters { temperature, end, decay, .. } = self.parameters;
        (temperature * decay.powf(step as f64)).max(end)
    }
}

fn one_hot(codes: &Tensor, entries: i64) -> Tensor {
    codes.one_hot(entries).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etude_learning::train::Precision;
    use tch::Device;

    fn quantizer(parameters: &Parameters) -> Quantizer {
        Quantizer::new(parameters, 6, 5, &Scope::root(1, Device::Cpu))
    }

    fn frames() -> Tensor {
        let values: Vec<f32> = (0..4 * 10 * 6).map(|index: i32| (0.37 * index as f32).sin()).collect();
        Tensor::from_slice(&values).reshape([4, 10, 6])
    }

    #[test]
    fn a_step_draws_by_the_logits_and_an_evaluation_takes_the_likeliest() {
        let quantizer = quantizer(&Parameters { entries: 7, dim: 8, projection: 3, ..Parameters::default() });
        let draw = |key: &[u8]| quantizer.quantise(&Pass::training(Precision::F32, 0, &[key]), &frames());
        let likeliest = quantizer.quantise(&Pass::evaluation(), &frames());
        assert_eq!(likeliest.targets.size(), [4, 10, 3]);
        assert_eq!(likeliest.codes.size(), [4, 10, 2]);
        assert_eq!(likeliest.logits.argmax(-1, false).view([4, 10, 2]), likeliest.codes);
        assert_eq!(draw(b"a").codes, draw(b"a").codes);
        assert_ne!(draw(b"a").codes, draw(b"b").codes);
        // Drawn by their probabilities: the likeliest is drawn most often.
        let same = (0..50u8).map(|key| {
            let drawn = draw(&[key]).codes.eq_tensor(&likeliest.codes);
            drawn.to_kind(Kind::Float).mean(Kind::Float).double_value(&[])
        });
        let expected = likeliest.logits.softmax(-1, Kind::Float).amax(-1i64, false).mean(Kind::Float);
        let share = same.sum::<f64>() / 50.0;
        assert!((share - expected.double_value(&[])).abs() < 0.03, "{share} {expected}");
    }

    #[test]
    fn the_gradient_is_that_of_the_softmax() {
        let quantizer = quantizer(&Parameters { entries: 3, dim: 2, projection: 2, ..Parameters::default() });
        let input = frames().set_requires_grad(true);
        let quantised = quantizer.quantise(&Pass::training(Precision::F32, 0, &[b"a"]), &input);
        let gradients =
            Tensor::run_backward(&[quantised.targets.square().sum(Kind::Float)], &[&input], false, false);
        assert!(gradients[0].abs().max().double_value(&[]) > 0.0);
    }

    #[test]
    fn the_temperature_falls_to_its_end() {
        let parameters = Parameters { temperature: 2.0, end: 0.5, decay: 0.9, ..Parameters::default() };
        let quantizer = quantizer(&parameters);
        assert_eq!(quantizer.temperature(0), 2.0);
        assert!((quantizer.temperature(2) - 1.62).abs() < 1e-12);
        assert_eq!(quantizer.temperature(1000), 0.5);
    }
}
