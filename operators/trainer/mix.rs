//! Mixing clips of a batch, on the device; what is drawn is drawn on the host.

use etude_learning::train::{BatchMix, Mixup, Train};
use etude_pipeline::random::Random;
use tch::{Kind, Tensor};

use crate::pass::Pass;

/// The views of a batch, `[views · clips, …]`, mixed as the parameters say.
pub fn mix(train: &Train, clips: &Tensor, views: usize, rate: u32, pass: &Pass) -> Tensor {
    let mut clips = clips.shallow_clone();
    if let Some(parameters) = &train.batch_mix {
        clips = batch_mix(parameters, &clips, views, rate, pass);
    }
    if let Some(parameters) = &train.mixup {
        clips = mixup(parameters, &clips, views, pass);
    }
    clips
}

/// For each view another clip of the batch: the row of the same view.
fn mates(rows: usize, views: usize, random: &mut Random) -> Vec<i64> {
    let clips = rows / views.max(1);
    let mate = |row: usize| {
        let (view, clip) = (row / clips, row % clips);
        let ahead = 1 + random.below(clips.saturating_sub(1) as u64) as usize;
        (view * clips + (clip + ahead) % clips) as i64
    };
    (0..rows).map(mate).collect()
}

fn batch_mix(parameters: &BatchMix, audio: &Tensor, views: usize, rate: u32, pass: &Pass) -> Tensor {
    let (rows, samples) = (audio.size()[0] as usize, audio.size()[1] as usize);
    let BatchMix { p, snr_db: [low, high], seconds } = *parameters;
    let (mates, levels, parts) = pass.draw(|random| {
        let mates = mates(rows, views, random);
        let mut levels = Vec::with_capacity(rows);
        // Where the whole clip is mixed in, no parts have to be told.
        let mut parts = vec![0f32; if seconds.is_some() { rows * samples } else { 0 }];
        for row in 0..rows {
            let applies = random.chance(p);
            // As an amplitude.
            levels.push(if applies { 10f64.powf(-random.range(low, high) / 20.0) as f32 } else { 0.0 });
            let length = seconds.map_or(samples, |[least, most]| {
                ((random.range(least, most) * f64::from(rate)).round() as usize).clamp(1, samples)
            });
            let from = random.below((samples - length) as u64 + 1) as usize;
            if seconds.is_some() {
                parts[row * samples + from..row * samples + from + length].fill(1.0);
            }
        }
        (mates, levels, parts)
    });
    tch::no_grad(|| {
        let device = audio.device();
        let mates = Tensor::from_slice(&mates).to_device(device);
        let mut others = audio.index_select(0, &mates);
        let power = |signal: &Tensor| signal.square().sum_dim_intlist(1i64, true, Kind::Float);
        let own = power(audio) / samples as f64;
        let theirs = match seconds {
            None => own.index_select(0, &mates),
            Some(_) => {
                let parts =
                    Tensor::from_slice(&parts).reshape([rows as i64, samples as i64]).to_device(device);
                let _ = others.g_mul_(&parts);
                power(&others) / parts.sum_dim_intlist(1i64, true, Kind::Float)
            }
        };
        let levels = Tensor::from_slice(&levels).reshape([rows as i64, 1]).to_device(device);
        // What is silent is not made loud.
        let factor = (own / theirs.clamp_min(f64::from(f32::MIN_POSITIVE))).sqrt() * levels;
        let factor = factor.masked_fill(&theirs.lt(1e-12), 0.0);
        others.g_mul_(&factor).g_add_(audio)
    })
}

fn mixup(parameters: &Mixup, clips: &Tensor, views: usize, pass: &Pass) -> Tensor {
    let rows = clips.size()[0] as usize;
    let Mixup { p, beta: [a, b] } = *parameters;
    let (mates, shares) = pass.draw(|random| {
        let mates = mates(rows, views, random);
        let share = |random: &mut Random| {
            let applies = random.chance(p);
            let share = beta(a, b, random);
            if applies { share as f32 } else { 1.0 }
        };
        (mates, (0..rows).map(|_| share(random)).collect::<Vec<f32>>())
    });
    tch::no_grad(|| {
        let device = clips.device();
        let others = clips.index_select(0, &Tensor::from_slice(&mates).to_device(device));
        let mut shape = vec![1; clips.dim()];
        shape[0] = rows as i64;
        let shares = Tensor::from_slice(&shares).reshape(shape).to_device(device);
        &others + (clips - &others) * shares
    })
}

/// A number of a beta distribution: of two gamma ones, the first over their sum.
fn beta(a: f64, b: f64, random: &mut Random) -> f64 {
    let (a, b) = (gamma(a, random), gamma(b, random));
    a / (a + b).max(f64::MIN_POSITIVE)
}

/// A number of a gamma distribution of scale 1 (Marsaglia and Tsang, 2000).
fn gamma(shape: f64, random: &mut Random) -> f64 {
    if shape < 1.0 {
        let power = (1.0 - random.uniform()).powf(1.0 / shape);
        return gamma(shape + 1.0, random) * power;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = random.normal();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - random.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use etude_learning::train::Precision;

    use super::*;

    fn pass(step: u64) -> Pass {
        Pass::training(Precision::F32, step, &[b"mix", &step.to_le_bytes()])
    }

    /// Each row is one number.
    fn rows(rows: &[f32], samples: usize) -> Tensor {
        Tensor::from_slice(rows).reshape([-1, 1]).repeat([1, samples as i64])
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::<f32>::try_from(tensor.contiguous().view(-1)).unwrap()
    }

    #[test]
    fn beta_has_its_moments() {
        let mut random = Random::keyed(&[b"beta"]);
        for (a, b) in [(5.0, 2.0), (0.2, 0.2), (1.0, 1.0)] {
            let numbers: Vec<f64> = (0..40_000).map(|_| beta(a, b, &mut random)).collect();
            let mean = numbers.iter().sum::<f64>() / 40_000.0;
            let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 40_000.0;
            assert!((mean - a / (a + b)).abs() < 0.01, "{a} {b}: {mean}");
            let wanted = a * b / ((a + b).powi(2) * (a + b + 1.0));
            assert!((variance - wanted).abs() < 0.01, "{a} {b}: {variance}");
        }
    }

    #[test]
    fn mates_are_other_clips_of_the_same_view() {
        let mut random = Random::keyed(&[b"mates"]);
        for _ in 0..100 {
            for (row, mate) in mates(8, 2, &mut random).into_iter().enumerate() {
                assert!(mate as usize != row && mate as usize / 4 == row / 4);
            }
        }
    }

    #[test]
    fn mixup_lies_between_two_clips() {
        let audio = rows(&[0.0, 1.0, 10.0, 11.0], 3);
        let mixed = |p, step| values(&mixup(&Mixup { p, beta: [5.0, 2.0] }, &audio, 2, &pass(step)));
        assert_eq!(mixed(0.0, 0), values(&audio));
        let first = mixed(1.0, 0);
        assert!(first[..6].iter().all(|value| *value > 0.0 && *value < 1.0), "{first:?}");
        assert!(first[6..].iter().all(|value| *value > 10.0 && *value < 11.0), "{first:?}");
        // The same step draws the same, another one others.
        assert_eq!(first, mixed(1.0, 0));
        assert_ne!(first, mixed(1.0, 1));
        let steep = values(&mixup(&Mixup { p: 1.0, beta: [1000.0, 1.0] }, &audio, 2, &pass(0)));
        assert!(steep.iter().zip(values(&audio)).all(|(a, b)| (a - b).abs() < 0.02), "{steep:?}");
    }

    #[test]
    fn features_are_mixed_as_audio_is() {
        let audio = rows(&[0.0, 1.0, 10.0, 11.0], 24);
        let parameters = Mixup { p: 1.0, beta: [5.0, 2.0] };
        let mixed = mixup(&parameters, &audio.reshape([4, 2, 3, 4]), 2, &pass(0));
        assert_eq!(mixed.size(), [4, 2, 3, 4]);
        assert_eq!(values(&mixed), values(&mixup(&parameters, &audio, 2, &pass(0))));
    }

    #[test]
    fn what_is_mixed_in_has_its_level_and_length() {
        let audio = rows(&[1.0, 3.0], 1000);
        let mixed = |p, snr_db, seconds| {
            values(&batch_mix(&BatchMix { p, snr_db, seconds }, &audio, 1, 1000, &pass(3)))
        };
        assert_eq!(mixed(0.0, [0.0, 0.0], None), values(&audio));
        let even = mixed(1.0, [0.0, 0.0], None);
        assert!(even[..1000].iter().all(|value| (value - 2.0).abs() < 1e-5));
        assert!(even[1000..].iter().all(|value| (value - 6.0).abs() < 1e-5));
        let soft = mixed(1.0, [20.0, 20.0], Some([0.1, 0.2]));
        let touched: Vec<f32> = soft[..1000].iter().copied().filter(|value| *value != 1.0).collect();
        assert!((100..=200).contains(&touched.len()), "{}", touched.len());
        assert!(touched.iter().all(|value| (value - 1.1).abs() < 1e-5));
    }

    #[test]
    fn silence_is_not_made_loud() {
        let audio = rows(&[1.0, 0.0], 10);
        let mixed =
            batch_mix(&BatchMix { p: 1.0, snr_db: [0.0, 0.0], seconds: None }, &audio, 1, 10, &pass(0));
        assert_eq!(values(&mixed), values(&audio));
    }
}
