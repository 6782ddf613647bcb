"""What the golden scripts of frame-wise features have in common: the signal, and how figures are written.

    python3 -m venv venv && venv/bin/pip install librosa==1.0.0 torch==2.11.0 torchaudio==2.11.0

librosa 1.0 wants Python 3.12 or newer. (0.11 gives the same files, byte for byte.) Both compute in single precision, as
we do.
"""
import json
import pathlib

import numpy as np

RATE, SAMPLES = 16_000, 6_000


def signal():
    """Three tones and noise of a linear congruential generator, in f64, then f32."""
    t = np.arange(SAMPLES)
    tones = sum(
        amplitude * np.sin(2 * np.pi * hz * t / RATE + phase)
        for amplitude, hz, phase in [(0.4, 220.0, 0.0), (0.2, 1375.0, 1.0), (0.1, 5050.0, 2.0)]
    )
    state, noise = 1, np.empty(SAMPLES)
    for place in range(SAMPLES):
        state = (state * 1_664_525 + 1_013_904_223) % (1 << 32)
        noise[place] = (state >> 8) / (1 << 23) - 1.0
    return (tones + 0.05 * noise).astype(np.float32)


def scaled_error(ours, theirs):
    return float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))


def case(parameters, by, values, also=None):
    """Some frames of `values`, [channels, frames]. What another gives for the same has to agree."""
    values = np.asarray(values, dtype=np.float32)
    if also is not None:
        other, peer = also
        peer = np.asarray(peer, dtype=np.float32)
        assert peer.shape == values.shape, (parameters, peer.shape, values.shape)
        error = scaled_error(peer, values)
        assert error < 1e-5, f"{parameters}: {other} is {error:.1e} from {by}"
        by = f"{by}, {other} within {error:.0e}"
    count = values.shape[1]
    frames = sorted({0, 1, count // 2, count - 1})
    return {
        "parameters": parameters,
        "by": by,
        "frames": count,
        "columns": {frame: [float(f"{value:.8g}") for value in values[:, frame]] for frame in frames},
    }


def write(script, cases):
    path = pathlib.Path(script).with_suffix(".json")
    path.write_text(json.dumps({"rate": RATE, "samples": SAMPLES, "cases": cases}, separators=(",", ":")) + "\n")
    for one in cases:
        print(one["by"], one["parameters"], f"{one['frames']} frames")
    print(f"{path.name}: {path.stat().st_size} bytes")
