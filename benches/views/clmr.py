"""CLMR's chain as pipelines/clmr.yaml has it, beside torchaudio-augmentations, which its authors wrote for it, and
audiomentations with the transforms nearest to it."""
import functools
import pathlib

from cases import Case

PIPELINE = pathlib.Path(__file__).resolve().parents[2] / "pipelines/clmr.yaml"
RATE, FRAMES = 22_050, 59_049


@functools.cache
def chain():
    import yaml
    return yaml.safe_load(PIPELINE.read_text())["stages"]["views"]["chain"]


def torchaudio_augmentations(t, setting):
    """CLMR's main.py."""
    return t.Compose([
        t.RandomApply([t.PolarityInversion()], p=0.8),
        t.RandomApply([t.Noise()], p=0.01),
        t.RandomApply([t.Gain()], p=0.3),
        t.RandomApply([t.HighLowPass(sample_rate=setting.rate)], p=0.8),
        t.RandomApply([t.Delay(sample_rate=setting.rate)], p=0.3),
        t.RandomApply([t.PitchShift(n_samples=FRAMES, sample_rate=setting.rate)], p=0.6),
        t.RandomApply([t.Reverb(sample_rate=setting.rate)], p=0.6),
    ])


def audiomentations(a, setting):
    """It has no delay and no algorithmic reverberation: these are left out."""
    return a.Compose([
        a.PolarityInversion(p=0.8),
        a.AddGaussianSNR(40, 80, p=0.01),
        a.Gain(-20, -1, p=0.3),
        a.OneOf([a.HighPassFilter(200, 1200, 12, 12, p=1), a.LowPassFilter(2200, 4000, 12, 12, p=1)], p=0.8),
        a.PitchShift(-7, 7, p=0.6),
    ])


CASES = [Case("clmr", lambda s: ("augment", {"chain": chain()}), {
    "torchaudio_augmentations": torchaudio_augmentations, "audiomentations": audiomentations,
}, "length", kind="chain")]
