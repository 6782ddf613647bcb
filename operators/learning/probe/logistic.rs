//! Multinomial logistic regression with an L2 penalty on the weights, not on the intercepts.

use etude_pipeline::Error;
use tokio_util::sync::CancellationToken;

use super::lbfgs::{Limits, add, dot, minimise};
use super::samples::Vectors;
use super::scale::Scale;

/// Far below what moves a prediction; the gradient is that of the mean over rows.
const LIMITS: Limits = Limits { iterations: 1000, gradient: 1e-7 };

/// A row to learn from, and its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    pub row: usize,
    pub class: usize,
}

/// A classifier.
#[derive(Debug)]
pub struct Model {
    /// The classes that it has seen, in the order of their numbers.
    pub classes: Vec<usize>,
    /// Whether it is the best one there is.
    pub converged: bool,
    scale: Scale,
    /// For each class the weights of a scaled row's values, and the intercept.
    weights: Vec<f64>,
}

impl Model {
    /// Fits a classifier to at least one example.
    ///
    /// It minimises the sum of the cross-entropies plus `weight_decay` / 2 times the sum of the squared
    /// weights, where two classes share one vector of weights: scikit-learn's objective.
    pub fn fit(
        vectors: &Vectors,
        examples: &[Example],
        weight_decay: f64,
        cancel: &CancellationToken,
    ) -> Result<Self, Error> {
        let scale = Scale::of(vectors, examples.iter().map(|example| example.row));
        let mut classes: Vec<usize> = examples.iter().map(|example| example.class).collect();
        classes.sort_unstable();
        classes.dedup();
        // Here two classes have weights of their own, w and −w for a difference of 2w: their squares
        // come to half of that of the difference.
        let decay = if classes.len() == 2 { 2.0 * weight_decay } else { weight_decay };
        let mut objective = Objective {
            vectors,
            scale: &scale,
            examples: examples
                .iter()
                .map(|example| (example.row, classes.partition_point(|class| *class < example.class)))
                .collect(),
            decay: decay / examples.len() as f64,
            row: vec![1.0; scale.width() + 1],
            shares: vec![0.0; classes.len()],
        };
        let start = vec![0.0; classes.len() * (scale.width() + 1)];
        let minimum = minimise(start, &LIMITS, &mut |weights, gradient| {
            if cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(objective.at(weights, gradient)) }
        })?;
        Ok(Self { classes, converged: minimum.converged, weights: minimum.at, scale })
    }

    /// Adds the probability of each of its classes for a row.
    pub fn add_probabilities(&self, row: &[f32], to: &mut [f64]) {
        let mut scaled = vec![1.0; self.scale.width() + 1];
        self.scale.apply(row, &mut scaled);
        let mut shares = vec![0.0; self.classes.len()];
        logits(&self.weights, &scaled, &mut shares);
        softmax(&mut shares);
        add(to, 1.0, &shares);
    }

    /// A class's weights and intercept, for the comparison with scikit-learn.
    #[cfg(test)]
    pub fn coefficients(&self, class: usize) -> &[f64] {
        let width = self.scale.width() + 1;
        &self.weights[class * width..(class + 1) * width]
    }
}

/// What is minimised, over the mean of the rows in place of their sum.
struct Objective<'a> {
    vectors: &'a Vectors,
    scale: &'a Scale,
    /// Rows and the places of their classes.
    examples: Vec<(usize, usize)>,
    decay: f64,
    /// A scaled row and a 1, by which the intercept is multiplied.
    row: Vec<f64>,
    shares: Vec<f64>,
}

impl Objective<'_> {
    /// The value and the gradient for weights: classes × (width + 1), the intercepts last.
    fn at(&mut self, weights: &[f64], gradient: &mut [f64]) -> f64 {
        let width = self.row.len();
        gradient.fill(0.0);
        let mut value = 0.0;
        for (row, class) in &self.examples {
            self.scale.apply(self.vectors.row(*row), &mut self.row);
            logits(weights, &self.row, &mut self.shares);
            let own = self.shares[*class];
            value += softmax(&mut self.shares) - own;
            self.shares[*class] -= 1.0;
            for (gradient, share) in gradient.chunks_exact_mut(width).zip(&self.shares) {
                add(gradient, *share, &self.row);
            }
        }
        let count = self.examples.len() as f64;
        value /= count;
        for (gradient, weights) in gradient.chunks_exact_mut(width).zip(weights.chunks_exact(width)) {
            gradient.iter_mut().for_each(|part| *part /= count);
            let (weights, gradient) = (&weights[..width - 1], &mut gradient[..width - 1]);
            add(gradient, self.decay, weights);
            value += self.decay / 2.0 * dot(weights, weights);
        }
        value
    }
}

/// The inner product of a row with each class's weights.
fn logits(weights: &[f64], row: &[f64], into: &mut [f64]) {
    for (logit, weights) in into.iter_mut().zip(weights.chunks_exact(row.len())) {
        *logit = dot(weights, row);
    }
}

/// Turns logits into probabilities; gives the logarithm of the sum of their exponentials.
fn softmax(logits: &mut [f64]) -> f64 {
    let highest = logits.iter().fold(f64::NEG_INFINITY, |most, logit| f64::max(most, *logit));
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - highest).exp();
        sum += *logit;
    }
    logits.iter_mut().for_each(|share| *share /= sum);
    highest + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(values: Vec<f32>, width: usize, classes: &[usize], weight_decay: f64) -> Model {
        let examples: Vec<Example> =
            classes.iter().enumerate().map(|(row, class)| Example { row, class: *class }).collect();
        let vectors = Vectors::new(width, values);
        Model::fit(&vectors, &examples, weight_decay, &CancellationToken::new()).unwrap()
    }

    fn probabilities(model: &Model, row: &[f32]) -> Vec<f64> {
        let mut found = vec![0.0; model.classes.len()];
        model.add_probabilities(row, &mut found);
        found
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let values: Vec<f32> = (0..35).map(|n| ((n * n * 7) % 23) as f32 / 10.0).collect();
        let vectors = Vectors::new(5, values);
        let scale = Scale::of(&vectors, 0..7);
        let examples = vec![(0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (6, 1)];
        let (row, shares) = (vec![1.0; 6], vec![0.0; 3]);
        let mut objective = Objective { vectors: &vectors, scale: &scale, examples, decay: 0.3, row, shares };
        let weights: Vec<f64> = (0..18).map(|n| f64::from((n * 5) % 7) / 7.0 - 0.4).collect();
        let (mut gradient, mut other) = (vec![0.0; 18], vec![0.0; 18]);
        objective.at(&weights, &mut gradient);
        for place in 0..18 {
            let mut value = |step: f64| {
                let mut moved = weights.clone();
                moved[place] += step;
                objective.at(&moved, &mut other)
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-9, "{place}: {slope}, {}", gradient[place]);
        }
    }

    #[test]
    fn without_anything_to_see_the_classes_shares_are_told() {
        let model = fit(vec![1.0; 8], 2, &[0, 5, 5, 5], 1.0);
        assert_eq!((model.classes.as_slice(), model.converged), ([0, 5].as_slice(), true));
        let found = probabilities(&model, &[1.0, 1.0]);
        assert!((found[0] - 0.25).abs() < 1e-6 && (found[1] - 0.75).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn one_class_is_certain() {
        let model = fit(vec![1.0, 2.0, 4.0], 1, &[3, 3, 3], 1.0);
        assert_eq!((model.classes.as_slice(), model.converged), ([3].as_slice(), true));
        assert_eq!(probabilities(&model, &[-50.0]), [1.0]);
    }

    #[test]
    fn logits_may_be_huge() {
        let mut logits = [1e4, -1e4, 1e4];
        assert!((softmax(&mut logits) - 1e4 - 2f64.ln()).abs() < 1e-9);
        assert_eq!(logits, [0.5, 0.0, 0.5]);
    }

    #[test]
    fn it_ends_when_cancelled() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let examples = [Example { row: 0, class: 0 }, Example { row: 1, class: 1 }];
        let ended = Model::fit(&Vectors::new(1, vec![0.0, 1.0]), &examples, 1.0, &cancel);
        assert!(matches!(ended, Err(Error::Cancelled)));
    }
}
