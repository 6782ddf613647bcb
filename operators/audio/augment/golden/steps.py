"""Makes steps.json: a short signal, and what others make of it.

Filters by SciPy (sosfilt of a Butterworth filter), reverberation by SoX 14.4.2, the rest by audiomentations
with fixed parameters.

    apt-get install sox && pip install audiomentations==0.43.1 scipy && python3 steps.py > steps.json
"""
import json
import subprocess

import numpy as np
from audiomentations import ClippingDistortion, Gain, PolarityInversion, Reverse, Shift, TanhDistortion
from scipy.signal import butter, sosfilt

RATE = 16_000
signal = np.random.default_rng(1).normal(0, 0.3, 64).astype(np.float32)


def filtered(rolloff, *filters):
    samples = signal.astype(np.float64)
    for kind, cutoff in filters:
        samples = sosfilt(butter(rolloff // 6, cutoff, kind, fs=RATE, output="sos"), samples)
    return samples


def filters(rolloff):
    """Those that fall by so many dB an octave."""
    given = {"p": 1, "rolloff": [rolloff, rolloff]}
    band = given | {"centre": [2000, 2000], "bandwidth_fraction": [1, 1]}
    return [
        ({"low_pass": given | {"cutoff": [2000, 2000]}}, filtered(rolloff, ("low", 2000))),
        ({"high_pass": given | {"cutoff": [900, 900]}}, filtered(rolloff, ("high", 900))),
        ({"band_pass": band}, filtered(rolloff, ("high", 1000), ("low", 3000))),
    ]


def shifted(fraction, rollover):
    return Shift(fraction, fraction, rollover=rollover, fade_duration=0.0, p=1.0)(signal, RATE)


# At a low rate the filters are short: with silence behind it, a short signal comes round several times.
REVERB_RATE = 2000
silence = np.zeros(160, dtype=np.float32)


def reverberated(*percent):
    raw = ["-t", "f32", "-r", str(REVERB_RATE), "-c", "1", "-"]
    # Of stereo depth 0: SoX's two channels otherwise have filters of other lengths.
    effect = ["reverb", *(str(number) for number in percent), "0"]
    samples = np.concatenate([signal, silence]).tobytes()
    done = subprocess.run(["sox", *raw, *raw, *effect], input=samples, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, dtype=np.float32)


def reverb(reverberance, damping, room):
    ranges = {"reverberance": reverberance, "damping": damping, "room": room}
    return {"reverb": {"p": 1} | {name: [percent, percent] for name, percent in ranges.items()}}


reverbs = [(reverb(*percent), reverberated(*percent)) for percent in [(50, 50, 100), (100, 0, 30), (20, 100, 0)]]

steps = [
    *filters(12),
    *filters(18),
    *filters(24),
    *filters(60),
    ({"gain": {"p": 1, "db": [-7, -7]}}, Gain(-7, -7, p=1.0)(signal, RATE)),
    ({"polarity": {"p": 1}}, PolarityInversion(p=1.0)(signal, RATE)),
    ({"reverse": {"p": 1}}, Reverse(p=1.0)(signal, RATE)),
    ({"shift": {"p": 1, "fraction": [0.3, 0.3], "fade": 0}}, shifted(0.3, True)),
    ({"shift": {"p": 1, "fraction": [-0.3, -0.3], "fade": 0, "rollover": False}}, shifted(-0.3, False)),
    ({"clipping": {"p": 1, "percent": [20, 20]}}, ClippingDistortion(20, 20, p=1.0)(signal, RATE)),
    ({"tanh_distortion": {"p": 1, "distortion": [0.4, 0.4]}}, TanhDistortion(0.4, 0.4, p=1.0)(signal, RATE)),
]
rounded = lambda samples: [float(f"{sample:.8g}") for sample in samples]
made = lambda steps: [[step, rounded(samples)] for step, samples in steps]
print(
    json.dumps(
        {
            "signal": rounded(signal),
            "steps": made(steps),
            "reverb": {"rate": REVERB_RATE, "silence": len(silence), "steps": made(reverbs)},
        }
    )
)
