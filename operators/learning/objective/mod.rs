//! The objectives, by name. Each is a file here, with its parameters, and one in the trainer, with its formula.

use etude_pipeline::operator::Invalid;

use crate::choices::{below, choices, name_of};

/// What is known of an objective without its formula.
pub trait Aim {
    /// What it weighs in a sum.
    fn weight(&self) -> f64;

    /// Checks the ranges. The parameters' names are those below `objective.NAME.`.
    fn check(&self) -> Result<(), Invalid>;

    /// What it looks at.
    fn needs(&self) -> Needs;

    /// The mel bands that it predicts where clips are audio.
    fn bands(&self) -> Option<Bands> {
        None
    }

    /// How many codes there are that it predicts, where another stage gives them.
    fn codes(&self) -> Option<usize> {
        None
    }
}

/// How many mel bands of a frame of audio are predicted, where that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands(pub Option<usize>);

impl Bands {
    /// How many, said or not.
    pub fn count(self) -> usize {
        self.0.unwrap_or(80)
    }
}

/// Views of each clip that an objective compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Views {
    /// One.
    #[default]
    One,
    /// Any number of them.
    Some,
    /// Two.
    Two,
}

/// What an objective looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    pub views: Views,
    /// Projections of the vectors.
    pub projector: bool,
    /// Predictions from the projections.
    pub predictor: bool,
    /// A teacher's projections.
    pub teacher: bool,
    /// Frames, some of which are masked.
    pub mask: bool,
    /// Quantised frames.
    pub quantizer: bool,
    /// Codes of another stage.
    pub targets: bool,
    /// Features of another stage.
    pub features: bool,
    /// It says too little to be the only one.
    pub partial: bool,
}

impl Needs {
    fn and(self, other: Self) -> Self {
        Self {
            // Two are some, and some are one and more.
            views: self.views.max(other.views),
            projector: self.projector || other.projector,
            predictor: self.predictor || other.predictor,
            teacher: self.teacher || other.teacher,
            mask: self.mask || other.mask,
            quantizer: self.quantizer || other.quantizer,
            targets: self.targets || other.targets,
            features: self.features || other.features,
            partial: self.partial && other.partial,
        }
    }
}

choices! {
    /// What training makes small.
    Objective: Aim {
        /// Normalised temperature-scaled cross-entropy over two views of each clip (SimCLR, Chen et al. 2020).
        NtXent in nt_xent,
        /// Symmetric cross-entropy between two views (CLIP, Radford et al. 2021).
        Clip in clip,
        /// Contrast with a running mean of each clip's denominator (SogCLR, Yuan et al. 2022).
        Sogclr in sogclr,
        /// Contrast with several positives (Khosla et al. 2020).
        MultiPositive in multi_positive,
        /// Prediction of a teacher's projection (BYOL, Grill et al. 2020).
        Byol in byol,
        /// Prediction of the other view's projection (SimSiam, Chen and He 2021).
        Simsiam in simsiam,
        /// Cross-correlation brought to the identity (Barlow Twins, Zbontar et al. 2021).
        Barlow in barlow,
        /// Invariance, variance and covariance (VICReg, Bardes et al. 2022).
        Vicreg in vicreg,
        /// Self-distillation over prototypes (DINO, Caron et al. 2021).
        Dino in dino,
        /// Recognition of masked frames among others (wav2vec 2.0, Baevski et al. 2020).
        InfoNce in info_nce,
        /// Prediction of masked frames' codes (BEST-RQ, Chiu et al. 2022).
        MaskedCrossEntropy in masked_cross_entropy,
        /// Prediction of masked frames' codes, which another stage gives (HuBERT, Hsu et al. 2021).
        MaskedCodes in masked_codes,
        /// Prediction of masked frames' mel bands or features.
        MaskedMse in masked_mse,
        /// Prediction of masked frames' features, which another stage gives (MERT, Li et al. 2023).
        MaskedFeatures in masked_features,
        /// Even use of a quantiser's entries (wav2vec 2.0).
        Diversity in diversity,
        /// Small frames before the transformer (wav2vec 2.0).
        FeaturePenalty in feature_penalty,
        /// The weighted sum of several.
        Sum in sum,
    }
}

fn one() -> f64 {
    1.0
}

impl Objective {
    /// Its name in YAML.
    pub fn name(&self) -> String {
        name_of(self)
    }

    /// What is summed: several objectives, or this one alone.
    pub fn terms(&self) -> Vec<&Self> {
        match self {
            Self::Sum(sum) => sum.of.iter().collect(),
            term => vec![term],
        }
    }

    /// What all of them together look at.
    pub fn needs(&self) -> Needs {
        self.chosen().needs()
    }

    /// Checks the ranges, and that the terms go together.
    pub fn check(&self) -> Result<(), Invalid> {
        let prefix = format!("objective.{}", self.name());
        self.chosen().check().map_err(|invalid| below(&prefix, invalid))?;
        let needs = self.needs();
        Invalid::unless(
            !needs.partial,
            "objective",
            "says nothing about the clips: sum it with another, such as info_nce",
        )?;
        let terms = self.terms();
        let mut codes = terms.iter().filter_map(|term| term.chosen().codes());
        let first = codes.next();
        let alike = codes.all(|codes| Some(codes) == first);
        Invalid::unless(
            alike,
            "objective",
            "names several numbers of `codes`, and there is one stage of them",
        )?;
        Invalid::unless(
            !(needs.mask && needs.projector),
            "objective",
            "compares views and masked frames at once, which is not supported",
        )
    }
}
