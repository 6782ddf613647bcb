use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::Kind;

use super::front_end::FrontEnd;
use super::residual::{Residual, channels_last};
use super::{Clips, Encoded, Network};
use crate::layer::{BatchNorm, Conv2d};
use crate::pass::Pass;
use crate::scope::Scope;

/// torchvision's ResNet-18 with a channel a plane, without its last layer.
#[derive(Module, Debug)]
pub struct Resnet18 {
    #[module(skip)]
    front_end: FrontEnd,
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<Residual>,
    layer2: Vec<Residual>,
    layer3: Vec<Residual>,
    layer4: Vec<Residual>,
}

impl Resnet18 {
    pub fn new(parameters: &parameters::Resnet18, sampling: Sampling, scope: &Scope) -> Self {
        let front_end = FrontEnd::new(parameters.mel.as_ref(), sampling, scope.device());
        let channels = parameters.channels;
        let layer = |number: usize| {
            let (inputs, outputs) = (channels[number.saturating_sub(2)], channels[number - 1]);
            let stride = if number == 1 { 1 } else { 2 };
            let scope = scope.at(format!("layer{number}"));
            let first = Residual::new(&scope.at(0), [inputs, outputs], stride, stride > 1);
            vec![first, Residual::new(&scope.at(1), [outputs, outputs], 1, false)]
        };
        Self {
            conv1: Conv2d::new(&scope.at("conv1"), [front_end.planes(), channels[0]], 7, 2, 3),
            front_end,
            bn1: BatchNorm::new(&scope.at("bn1"), channels[0]),
            layer1: layer(1),
            layer2: layer(2),
            layer3: layer(3),
            layer4: layer(4),
        }
    }
}

impl Network for Resnet18 {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let image = self.front_end.image(clips.values);
        let stem = channels_last(&self.conv1.forward(pass, &image));
        let stem = self.bn1.forward(pass, &stem).relu_();
        let stem = stem.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        let blocks = [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten();
        let features = blocks.fold(stem, |features, block| block.forward(pass, &features));
        features.mean_dim([2i64, 3].as_slice(), false, Kind::Float).into()
    }
}
