//! Whether all clips get the same vector.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

/// What is measured of a batch's vectors `[views · clips, width]`, each a tensor of one value:
///
/// - `feature_std`: the mean over values of the deviation of vectors of length 1, times √width. Vectors that fill the
///   sphere have 1, vectors that are all alike 0 (SimSiam, arXiv 2011.10566, section 4.1).
/// - `effective_rank`: the exponential of the entropy of the centred vectors' singular values (RankMe, arXiv
///   2210.02885): of how many directions use is made.
/// - `alignment`: the mean squared distance of two views of a clip; `uniformity`: the logarithm of the mean of
///   exp(−2 · squared distance) over all pairs (Wang and Isola 2020, arXiv 2005.10242).
pub fn measure(vectors: &Tensor, views: usize) -> Vec<(&'static str, Tensor)> {
    tch::no_grad(|| {
        let (rows, width) = (vectors.size()[0], vectors.size()[1]);
        let unit = unit(vectors);
        let deviation = deviation(&unit);
        let centred = &unit - unit.mean_dim(0i64, true, Kind::Float);
        // The smaller of the two products has the squared singular values.
        let gram = if rows < width {
            centred.matmul(&centred.transpose(0, 1))
        } else {
            centred.transpose(0, 1).matmul(&centred)
        };
        // What is not finite ends the training when its loss is read; here it would only hide the place.
        let gram = gram.nan_to_num(0.0, 0.0, 0.0);
        let singular = gram.linalg_eigvalsh("L").clamp_min(0.0).sqrt();
        let share = &singular / singular.sum(Kind::Float).clamp_min(1e-12);
        let rank = (-(&share * share.clamp_min(1e-12).log()).sum(Kind::Float)).exp();
        let distance = (unit.matmul(&unit.transpose(0, 1)) * -2.0 + 2.0).clamp_min(0.0);
        let pairs = (rows * (rows - 1)).max(1) as f64;
        let uniformity =
            (((distance * -2.0).exp().sum(Kind::Float) - rows as f64) / pairs).clamp_min(1e-12).log();
        let mut measured =
            vec![("feature_std", deviation), ("effective_rank", rank), ("uniformity", uniformity)];
        if views > 1 {
            let clips = rows / views as i64;
            let difference = unit.narrow(0, 0, clips) - unit.narrow(0, clips, clips);
            measured.push((
                "alignment",
                difference.square().sum_dim_intlist(-1, false, Kind::Float).mean(Kind::Float),
            ));
        }
        measured
    })
}

/// The deviation of projections `[views · clips, outputs]`, as `feature_std`: they may collapse where a norm keeps the
/// vectors apart.
pub fn projection_std(projections: &Tensor) -> Tensor {
    tch::no_grad(|| deviation(&unit(projections)))
}

/// Rows of length 1.
fn unit(rows: &Tensor) -> Tensor {
    let square = rows.square().sum_dim_intlist(-1, true, Kind::Float);
    rows / square.clamp_min(1e-24).sqrt()
}

fn deviation(unit: &Tensor) -> Tensor {
    unit.var_dim(0i64, false, false).sqrt().mean(Kind::Float) * (unit.size()[1] as f64).sqrt()
}

/// Warns in words, once for each way to collapse, and again when it had recovered.
#[derive(Debug, Default)]
pub struct Collapse {
    point: bool,
    line: bool,
}

impl Collapse {
    /// What is to be said of these values; the vectors have `width` values, the batch `rows` of them.
    pub fn look(&mut self, values: &BTreeMap<String, f64>, width: usize, rows: usize) -> Option<String> {
        let deviation = *values.get("feature_std")?;
        let deviation =
            values.get("projection_std").map_or(deviation, |projections| deviation.min(*projections));
        let rank = *values.get("effective_rank")?;
        let before = std::mem::replace(&mut self.point, deviation < 0.05);
        if self.point && !before {
            return Some(format!(
                "the vectors or projections of different clips are nearly the same (deviation {deviation:.3} where 1 is even): \
                 the training collapses"
            ));
        }
        let few = rank < 1.5 + 0.01 * width.min(rows) as f64;
        let before = std::mem::replace(&mut self.line, few && !self.point);
        if self.line && !before {
            return Some(format!(
                "the vectors vary in {rank:.1} of {} directions: the training collapses in dimensions",
                width.min(rows)
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etude_pipeline::random::Random;

    fn measured(rows: &[Vec<f32>], views: usize) -> BTreeMap<String, f64> {
        let width = rows[0].len() as i64;
        let vectors = Tensor::from_slice(&rows.concat()).reshape([-1, width]);
        measure(&vectors, views)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.double_value(&[])))
            .collect()
    }

    fn normal(rows: usize, width: usize, directions: usize, offset: f32) -> Vec<Vec<f32>> {
        let mut random = Random::keyed(&[b"collapse"]);
        let draw = |_| {
            (0..width)
                .map(|value| if value < directions { random.normal() as f32 } else { 0.0 } + offset)
                .collect()
        };
        (0..rows).map(draw).collect()
    }

    #[test]
    fn healthy_vectors_are_even_and_raise_no_alarm() {
        let values = measured(&normal(512, 32, 32, 0.0), 2);
        assert!((values["feature_std"] - 1.0).abs() < 0.02, "{values:?}");
        assert!(values["effective_rank"] > 30.0, "{values:?}");
        // Two independent points of a sphere are √2 apart.
        assert!((values["alignment"] - 2.0).abs() < 0.1, "{values:?}");
        assert!(values["uniformity"] < -3.0, "{values:?}");
        assert_eq!(Collapse::default().look(&values, 32, 512), None);
    }

    #[test]
    fn one_point_is_told_once_and_again_after_it_recovered() {
        let point = measured(&normal(64, 32, 32, 1000.0), 2);
        let healthy = measured(&normal(64, 32, 32, 0.0), 2);
        assert!(point["feature_std"] < 0.01 && point["alignment"] < 0.01, "{point:?}");
        let mut collapse = Collapse::default();
        assert!(collapse.look(&point, 32, 64).unwrap().contains("nearly the same"));
        assert_eq!(collapse.look(&point, 32, 64), None);
        assert_eq!(collapse.look(&healthy, 32, 64), None);
        assert!(collapse.look(&point, 32, 64).is_some());
    }

    #[test]
    fn one_direction_is_told() {
        let line = measured(&normal(256, 32, 1, 0.0), 1);
        assert!(line["effective_rank"] < 1.1, "{line:?}");
        assert!(!line.contains_key("alignment"));
        assert!(Collapse::default().look(&line, 32, 256).unwrap().contains("directions"));
    }

    #[test]
    fn equal_vectors_give_finite_numbers() {
        let values = measured(&vec![vec![1.0; 8]; 4], 2);
        assert!(values.values().all(|value| value.is_finite()), "{values:?}");
        assert_eq!(measured(&vec![vec![0.0; 8]; 4], 2)["feature_std"], 0.0);
    }
}
