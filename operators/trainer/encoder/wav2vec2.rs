use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::{Kind, Tensor};

use super::{Clips, Encoded, Frames, Network};
use crate::layer::{Conv1d, GroupNorm, LayerNorm, Linear, attention, beside, gelu};
use crate::pass::{Pass, f32};
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

/// The deviation of the transformer's initial weights.
const DEVIATION: f64 = 0.02;

/// Hugging Face's Wav2Vec2Model, by its names.
#[derive(Module, Debug)]
pub struct Wav2vec2 {
    feature_extractor: Extractor,
    feature_projection: Projection,
    encoder: Transformer,
    /// What a masked frame is, `[dim]`.
    masked_spec_embed: Weight<1>,
    dropout: f64,
    layer_drop: f64,
    feature_gradient: f64,
}

#[derive(Module, Debug)]
struct Extractor {
    conv_layers: Vec<ConvLayer>,
}

#[derive(Module, Debug)]
struct ConvLayer {
    conv: Conv1d,
    layer_norm: Option<GroupNorm>,
}

#[derive(Module, Debug)]
struct Projection {
    layer_norm: LayerNorm,
    projection: Linear,
}

#[derive(Module, Debug)]
struct Transformer {
    pos_conv_embed: Positions,
    layer_norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Module, Debug)]
struct Positions {
    conv: NormedConv,
}

/// A grouped convolution whose weight is a direction and a length for each tap (weight norm).
#[derive(Module, Debug)]
struct NormedConv {
    bias: Weight<1>,
    parametrizations: Parametrizations,
    groups: usize,
}

#[derive(Module, Debug)]
struct Parametrizations {
    weight: Originals,
}

#[derive(Module, Debug)]
struct Originals {
    /// The lengths, `[1, 1, taps]`.
    original0: Weight<3>,
    /// The directions, `[dim, dim/groups, taps]`.
    original1: Weight<3>,
}

/// Attention and a perceptron, each beside a shortcut and before its norm.
#[derive(Module, Debug)]
struct Layer {
    attention: Attention,
    layer_norm: LayerNorm,
    feed_forward: FeedForward,
    final_layer_norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

#[derive(Module, Debug)]
struct FeedForward {
    intermediate_dense: Linear,
    output_dense: Linear,
}

impl Wav2vec2 {
    pub fn new(parameters: &parameters::Wav2vec2, _: Sampling, scope: &Scope) -> Self {
        let dim = parameters.dim;
        let inputs = std::iter::once(&1).chain(&parameters.channels);
        let shapes = inputs.zip(&parameters.channels).zip(parameters.kernels.iter().zip(&parameters.strides));
        let convs = scope.at("feature_extractor").at("conv_layers");
        let conv_layers =
            shapes.enumerate().map(|(index, ((inputs, outputs), (kernel, stride)))| ConvLayer {
                conv: Conv1d::he(&convs.at(index).at("conv"), [*inputs, *outputs], *kernel, *stride),
                layer_norm: (index == 0).then(|| GroupNorm::new(&convs.at(index).at("layer_norm"), *outputs)),
            });
        let features = parameters.channels.last().copied().unwrap_or(1);
        let projection = scope.at("feature_projection");
        let transformer = scope.at("encoder");
        Self {
            feature_extractor: Extractor { conv_layers: conv_layers.collect() },
            feature_projection: Projection {
                layer_norm: LayerNorm::new(&projection.at("layer_norm"), features),
                projection: Linear::new(&projection.at("projection"), features, dim, true),
            },
            encoder: Transformer {
                pos_conv_embed: Positions {
                    conv: NormedConv::new(
                        &transformer.at("pos_conv_embed").at("conv"),
                        dim,
                        parameters.positions,
                        parameters.position_groups,
                    ),
                },
                layer_norm: LayerNorm::new(&transformer.at("layer_norm"), dim),
                layers: (0..parameters.depth)
                    .map(|index| Layer::new(&transformer.at("layers").at(index), parameters))
                    .collect(),
            },
            masked_spec_embed: scope.at("masked_spec_embed").unit([dim]),
            dropout: parameters.dropout,
            layer_drop: parameters.layer_drop,
            feature_gradient: parameters.feature_gradient,
        }
    }
}

impl NormedConv {
    /// Directions normal around 0, with the lengths that they have.
    fn new(scope: &Scope, dim: usize, taps: usize, groups: usize) -> Self {
        let weight = scope.at("parametrizations").at("weight");
        let deviation = (4.0 / (taps * dim) as f64).sqrt();
        let original1 = weight.at("original1").normal([dim, dim / groups, taps], deviation);
        let original0: Weight<3> = weight.at("original0").constant([1, 1, taps], 1.0);
        scope.settle(|| {
            let both = [0i64, 1].as_slice();
            let lengths = tensor(&original1).square().sum_dim_intlist(both, true, Kind::Float).sqrt();
            tensor(&original0).copy_(&lengths);
        });
        Self {
            bias: scope.at("bias").constant([dim], 0.0),
            parametrizations: Parametrizations { weight: Originals { original0, original1 } },
            groups,
        }
    }

    /// `[batch, frames, dim]` to what is added to it.
    fn forward(&self, pass: &Pass, frames: &Tensor) -> Tensor {
        let Originals { original0, original1 } = &self.parametrizations.weight;
        let weight = Tensor::internal_weight_norm(&tensor(original1), &tensor(original0), 2);
        let (taps, count) = (weight.size()[2], frames.size()[1]);
        let bias = pass.cast(&tensor(&self.bias));
        let places = pass.cast(&frames.transpose(1, 2)).conv1d(
            &pass.cast(&weight),
            Some(&bias),
            1,
            taps / 2,
            1,
            self.groups as i64,
        );
        // An even kernel gives a frame too many.
        gelu(f32(&places.narrow(2, 0, count))).transpose(1, 2)
    }
}

impl Layer {
    fn new(scope: &Scope, parameters: &parameters::Wav2vec2) -> Self {
        let dim = parameters.dim;
        let (attention, feed_forward) = (scope.at("attention"), scope.at("feed_forward"));
        let linear = |name: &str| Linear::normal(&attention.at(name), dim, dim, DEVIATION);
        Self {
            attention: Attention {
                q_proj: linear("q_proj"),
                k_proj: linear("k_proj"),
                v_proj: linear("v_proj"),
                out_proj: linear("out_proj"),
                heads: parameters.heads,
            },
            layer_norm: LayerNorm::new(&scope.at("layer_norm"), dim),
            feed_forward: FeedForward {
                intermediate_dense: Linear::normal(
                    &feed_forward.at("intermediate_dense"),
                    dim,
                    parameters.mlp,
                    DEVIATION,
                ),
                output_dense: Linear::normal(
                    &feed_forward.at("output_dense"),
                    parameters.mlp,
                    dim,
                    DEVIATION,
                ),
            },
            final_layer_norm: LayerNorm::new(&scope.at("final_layer_norm"), dim),
        }
    }

    fn forward(&self, pass: &Pass, frames: &Tensor, dropout: f64) -> Tensor {
        let Attention { q_proj, k_proj, v_proj, out_proj, heads } = &self.attention;
        let [query, key, value] = [q_proj, k_proj, v_proj].map(|linear| linear.forward(pass, frames));
        let mixed = out_proj.forward(pass, &attention(pass, [&query, &key, &value], *heads, dropout));
        let frames = self.layer_norm.forward(&beside(frames, pass.dropout(f32(&mixed), dropout)));
        let inner = gelu(self.feed_forward.intermediate_dense.forward(pass, &frames));
        let inner = self.feed_forward.output_dense.forward(pass, &inner);
        self.final_layer_norm.forward(&beside(&frames, pass.dropout(f32(&inner), dropout)))
    }
}

impl Network for Wav2vec2 {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let convolved =
            self.feature_extractor.conv_layers.iter().fold(clips.values.unsqueeze(1), |signal, layer| {
                let signal = layer.conv.forward(pass, &signal);
                gelu(match &layer.layer_norm {
                    Some(norm) => norm.forward(&signal),
                    None => signal,
                })
            });
        let raw = scale_gradient(&f32(&convolved), self.feature_gradient);
        let features = self.feature_projection.layer_norm.forward(&raw.transpose(1, 2));
        let frames = f32(&self.feature_projection.projection.forward(pass, &features));
        let frames = pass.dropout(frames, self.dropout);
        let features = pass.dropout(features, self.dropout);
        let frames = match clips.mask {
            Some(mask) => tensor(&self.masked_spec_embed).where_self(&mask.unsqueeze(-1), &frames),
            None => frames,
        };
        let frames = &frames + self.encoder.pos_conv_embed.conv.forward(pass, &frames);
        let mut context = pass.dropout(self.encoder.layer_norm.forward(&frames), self.dropout);
        for layer in &self.encoder.layers {
            let dropped =
                pass.training && self.layer_drop > 0.0 && pass.draw(|random| random.chance(self.layer_drop));
            if !dropped {
                context = layer.forward(pass, &context, self.dropout);
            }
        }
        let vector = context.mean_dim(1i64, false, Kind::Float);
        Encoded { vector, frames: Some(Frames { raw, features, context }) }
    }
}

/// The same values, with their gradient times `scale`.
fn scale_gradient(values: &Tensor, scale: f64) -> Tensor {
    if scale == 1.0 { values.shallow_clone() } else { values * scale + values.detach() * (1.0 - scale) }
}
