"""The augmentations: one step of `op: augment` each, beside the transforms that do the same.

Ranges are audiomentations' defaults. torch-audiomentations 0.12 cannot read files with torchaudio 2.11: it has no
background and no impulse responses here.
"""
import random

from cases import Case


def step(name, **parameters):
    """What Étude runs: one step that always applies."""
    return "augment", {"chain": [{name: {"p": 1, **parameters}}]}


def delayed(pedalboard, setting):
    """A delay is made anew for each clip, as its length is drawn. Half of the sum of both, as Étude's."""
    def call(clip, rate):
        seconds = random.uniform(setting.low, setting.high) / 1000
        return pedalboard.Delay(seconds, feedback=0, mix=1 / 3)(clip, rate)
    return call


def convolved(torchaudio, setting):
    import soundfile
    import torch
    impulse = torch.from_numpy(soundfile.read(f"{setting.sounds}/0.wav", dtype="float32")[0])[None]
    return lambda clip: torchaudio.functional.fftconvolve(clip, impulse)[:, :clip.shape[1]]


def drawn(setting, apply):
    """What has functions alone gets a number from the range for each clip."""
    return lambda clip: apply(clip, random.uniform(setting.low, setting.high))


def noisy(torchaudio, setting):
    import torch
    return drawn(setting, lambda clip, snr: torchaudio.functional.add_noise(
        clip, torch.randn_like(clip), torch.tensor([snr])))


def banded(torchaudio, setting):
    """As Étude's: a high-pass, then a low-pass."""
    above, below = torchaudio.functional.highpass_biquad, torchaudio.functional.lowpass_biquad
    return drawn(setting, lambda clip, hz: below(above(clip, setting.rate, hz / 2), setting.rate, 3 * hz / 2))


def shifted(torchaudio, setting):
    """In whole semitones: with others it resamples between numbers that have no factor in common, which takes minutes."""
    return drawn(setting, lambda clip, by: torchaudio.functional.pitch_shift(clip, setting.rate, round(by)))


CASES = [
    Case("gain", lambda s: step("gain", db=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.Gain(s.low, s.high, p=1),
        "torch_audiomentations": lambda t, s: t.Gain(s.low, s.high, p=1, output_type="dict"),
        "torchaudio": lambda t, s: drawn(s, t.functional.gain),
    }, "wave", (-12, 12), -7),
    Case("polarity", lambda s: step("polarity"), {
        "audiomentations": lambda a, s: a.PolarityInversion(p=1),
        "torch_audiomentations": lambda t, s: t.PolarityInversion(p=1, output_type="dict"),
    }, "wave"),
    Case("white noise", lambda s: step("noise", snr_db=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.AddGaussianSNR(s.low, s.high, p=1),
        "torch_audiomentations": lambda t, s: t.AddColoredNoise(s.low, s.high, -1e-6, 1e-6, p=1, output_type="dict"),
        "torchaudio": noisy,
    }, "noise", (5, 40), 10),
    Case("pink noise", lambda s: step("noise", snr_db=[s.low, s.high], colour="pink"), {
        "audiomentations": lambda a, s: a.AddColorNoise(s.low, s.high, -3.01, -3.01, p=1),
        "torch_audiomentations": lambda t, s: t.AddColoredNoise(s.low, s.high, 0.999999, 1, p=1, output_type="dict"),
    }, "noise", (5, 40), 10),
    Case("brown noise", lambda s: step("noise", snr_db=[s.low, s.high], colour="brown"), {
        "audiomentations": lambda a, s: a.AddColorNoise(s.low, s.high, -6.02, -6.02, p=1),
        "torch_audiomentations": lambda t, s: t.AddColoredNoise(s.low, s.high, 1.999999, 2, p=1, output_type="dict"),
    }, "noise", (5, 40), 10),
    Case("background", lambda s: step("background", snr_db=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.AddBackgroundNoise(s.sounds, s.low, s.high, p=1),
    }, "noise", (3, 30), 10, "background"),
    Case("impulse", lambda s: step("impulse"), {
        "audiomentations": lambda a, s: a.ApplyImpulseResponse(s.sounds, p=1),
        "torchaudio": convolved,
        "pedalboard": lambda p, s: p.Convolution(f"{s.sounds}/0.wav", mix=1.0, sample_rate=s.rate),
    }, "wave", side="impulses"),
    Case("low_pass", lambda s: step("low_pass", cutoff=[s.low, s.high], rolloff=[12, 12]), {
        "audiomentations": lambda a, s: a.LowPassFilter(s.low, s.high, 12, 12, p=1),
        "torch_audiomentations": lambda t, s: t.LowPassFilter(s.low, s.high, p=1, output_type="dict"),
        "torchaudio": lambda t, s: drawn(s, lambda clip, hz: t.functional.lowpass_biquad(clip, s.rate, hz)),
    }, "filtered", (150, 7500), 2000),
    Case("high_pass", lambda s: step("high_pass", cutoff=[s.low, s.high], rolloff=[12, 12]), {
        "audiomentations": lambda a, s: a.HighPassFilter(s.low, s.high, 12, 12, p=1),
        "torch_audiomentations": lambda t, s: t.HighPassFilter(s.low, s.high, p=1, output_type="dict"),
        "torchaudio": lambda t, s: drawn(s, lambda clip, hz: t.functional.highpass_biquad(clip, s.rate, hz)),
    }, "filtered", (20, 2400), 500),
    Case("band_pass", lambda s: step("band_pass", centre=[s.low, s.high], bandwidth_fraction=[1, 1],
                                     rolloff=[12, 12]), {
        "audiomentations": lambda a, s: a.BandPassFilter(s.low, s.high, 1, 1, 12, 12, p=1),
        "torch_audiomentations": lambda t, s: t.BandPassFilter(s.low, s.high, 0.999, 1, p=1, output_type="dict"),
        "torchaudio": banded,
    }, "filtered", (200, 4000), 1000),
    Case("pitch_shift", lambda s: step("pitch_shift", semitones=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.PitchShift(s.low, s.high, p=1),
        "torch_audiomentations": lambda t, s: t.PitchShift(s.low - 0.2, s.high + 0.2, p=1, sample_rate=s.rate,
                                                           output_type="dict"),
        "torchaudio": shifted,
        "librosa": lambda l, s: drawn(s, lambda clip, by: l.effects.pitch_shift(clip, sr=s.rate, n_steps=by)),
    }, "pitch", (-4, 4), 4),
    Case("time_stretch", lambda s: step("time_stretch", rate=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.TimeStretch(s.low, s.high, p=1),
        "librosa": lambda l, s: drawn(s, lambda clip, rate: l.effects.time_stretch(clip, rate=rate)),
    }, "spectrum", (0.8, 1.25), 1.2),
    Case("reverse", lambda s: step("reverse"), {
        "audiomentations": lambda a, s: a.Reverse(p=1),
        "torch_audiomentations": lambda t, s: t.TimeInversion(p=1, output_type="dict"),
    }, "wave"),
    Case("time_mask", lambda s: step("time_mask", part=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.TimeMask(s.low, s.high, p=1),
    }, "silence", (0.01, 0.2), 0.1),
    Case("shift", lambda s: step("shift", fraction=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.Shift(s.low, s.high, p=1),
        "torch_audiomentations": lambda t, s: t.Shift(s.low, s.high, p=1, output_type="dict"),
    }, "spectrum", (-0.5, 0.5), 0.3),
    Case("clipping", lambda s: step("clipping", percent=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.ClippingDistortion(int(s.low), int(s.high), p=1),
    }, "wave", (0, 40), 20),
    Case("tanh_distortion", lambda s: step("tanh_distortion", distortion=[s.low, s.high]), {
        "audiomentations": lambda a, s: a.TanhDistortion(s.low, s.high, p=1),
    }, "wave", (0.01, 0.7), 0.4),
    Case("delay", lambda s: step("delay", milliseconds=[s.low, s.high], interval=0), {
        "pedalboard": delayed,
    }, "wave", (200, 450), 300),
    Case("reverb", lambda s: step("reverb", reverberance=[50, 50], damping=[50, 50], room=[100, 100]), {
        "pedalboard": lambda p, s: p.Reverb(room_size=0.5, damping=0.5, wet_level=0.33, dry_level=0.5, width=0),
    }, "spectrum"),
]
