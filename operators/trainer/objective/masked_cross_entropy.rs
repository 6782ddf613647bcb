use burn::module::Module;
use etude_audio::compress::Compress;
use etude_audio::standardise::Standardise;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, cross_entropy, normalise};
use crate::encoder::spectrogram::Mel;
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

#[derive(Module, Debug)]
pub struct MaskedCrossEntropy {
    #[module(skip)]
    mel: Mel,
    /// From bands to what codebooks are searched by, `[codebooks, n_mels, dim]`; frozen.
    projections: Weight<3>,
    /// Unit vectors, `[codebooks, size, dim]`; frozen.
    codebooks: Weight<3>,
    head: Linear,
}

impl MaskedCrossEntropy {
    pub fn new(parameters: &parameters::MaskedCrossEntropy, setting: &Setting, scope: &Scope) -> Self {
        let parameters::MaskedCrossEntropy { codebooks, size, dim, n_mels, .. } = *parameters;
        let width = setting.frames.map_or(1, |frames| frames.width);
        // Xavier's uniform for the projection and normal vectors for the codebook (BEST-RQ, section 3.2).
        let limit = (6.0 / (n_mels + dim) as f64).sqrt();
        let projections: Weight<3> = scope.at("projections").uniform([codebooks, n_mels, dim], limit);
        let vectors: Weight<3> = scope.at("codebooks").normal([codebooks, size, dim], 1.0);
        scope.settle(|| tensor(&vectors).copy_(&normalise(&tensor(&vectors))));
        for frozen in [&projections, &vectors] {
            let _ = tensor(frozen).set_requires_grad(false);
        }
        Self {
            mel: bands(setting, n_mels, scope),
            projections,
            codebooks: vectors,
            head: Linear::new(&scope.at("head"), width, codebooks * size, true),
        }
    }

    /// Bands `[batch, frames, n_mels]` to codes `[batch, frames, codebooks]`.
    pub fn codes(&self, bands: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let (projections, codebooks) = (tensor(&self.projections), tensor(&self.codebooks));
            // The nearest of unit vectors is that of the greatest product.
            let searched = bands.unsqueeze(1).matmul(&projections);
            searched.matmul(&codebooks.transpose(1, 2)).argmax(-1, false).transpose(1, 2)
        })
    }
}

impl Criterion for MaskedCrossEntropy {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let bands = self.mel.forward(&outputs.audio).transpose(1, 2);
        let codes = self.codes(&masked.pick(&bands)).flatten(0, 2);
        let logits = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        let logits = logits.view([codes.size()[0], -1]);
        let right = logits.argmax(-1, false).eq_tensor(&codes).to_kind(Kind::Float).mean(Kind::Float);
        Some(Loss::with(cross_entropy(&logits, &codes), vec![("accuracy", right)]))
    }
}

/// Log-mel bands, standardised over the clip, of the encoder's frames.
pub fn bands(setting: &Setting, n_mels: usize, scope: &Scope) -> Mel {
    let (n_fft, hop) = setting.frames.map_or((16, 16), |frames| (frames.field.max(16), frames.hop));
    let parameters = etude_audio::mel::Mel {
        n_fft,
        hop,
        n_mels,
        compress: Some(Compress::default()),
        standardise: Some(Standardise::Clip),
        ..Default::default()
    };
    Mel::new(&parameters, setting.rate, scope.device())
}
