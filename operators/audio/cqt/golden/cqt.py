#!/usr/bin/env python3
"""Makes cqt.json: what nnAudio's direct kernels give for noise, and how far librosa's transforms are from that.

    python3 -m venv venv && venv/bin/pip install nnAudio==0.3.4 torch==2.11.0 librosa==1.0.0 scipy==1.17.1
    venv/bin/python operators/audio/cqt/golden/cqt.py

writes cqt.json beside this file. `nnaudio` cases are the outputs of CQT1992v2 (kernels and correlation in single
precision); `direct` cases are correlations in double precision with the kernels that nnAudio's VQT takes: that itself
goes down octave by octave and is approximate, as librosa's cqt and vqt are. Of each case all bins of a few frames are
kept: [frame][bin] of [re, im].

nnAudio's window is filter_scale · rate / ((r − 1) · f + gamma) samples long where the operator's, and librosa's, is
filter_scale · rate / (α · f + gamma); so it is given `filter_scale` and `gamma` times (r − 1) / α.
"""
import json
import pathlib
import warnings

import librosa
import numpy as np
import torch
from nnAudio.features import CQT1992v2
from nnAudio.utils import create_cqt_kernels

warnings.filterwarnings("ignore")
C1 = librosa.note_to_hz("C1")


def noise(samples):
    """Uniform from -1 to 1: the upper 24 bits of Knuth's 64-bit linear congruential generator."""
    state, values = 1, []
    for _ in range(samples):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append((state >> 40) / 2**23 - 1)
    return np.array(values, dtype=np.float32)


def to_nnaudio(bins_per_octave):
    """What nnAudio's filter_scale and gamma are times the operator's."""
    r = 2 ** (1 / bins_per_octave)
    return (r - 1) * (r**2 + 1) / (r**2 - 1)


def nnaudio(signal, rate, hop, f_min, n_bins, bins_per_octave, filter_scale, padding, scale):
    layer = CQT1992v2(
        sr=rate, hop_length=hop, fmin=f_min, n_bins=n_bins, bins_per_octave=bins_per_octave, verbose=False,
        filter_scale=filter_scale * to_nnaudio(bins_per_octave), output_format="Complex",
        pad_mode={"zero": "constant", "reflect": "reflect"}[padding],
    )
    kind = {"ortho": "librosa", "amplitude": "wrap"}[scale]
    parts = layer(torch.from_numpy(signal), normalization_type=kind)[0].double().numpy()
    return parts[..., 0] + 1j * parts[..., 1]


def direct(signal, rate, hop, f_min, n_bins, bins_per_octave, gamma, filter_scale):
    factor = to_nnaudio(bins_per_octave)
    q = filter_scale * factor / (2 ** (1 / bins_per_octave) - 1)
    # It mends (f + gamma / (r - 1)) with the r of this function, so gamma has to be scaled as q is.
    kernels, width, lengths, freqs = create_cqt_kernels(
        q, rate, f_min, n_bins, bins_per_octave, norm=1, gamma=gamma * factor
    )
    ours, _ = librosa.filters.wavelet_lengths(
        freqs=freqs, sr=rate, window="hann", filter_scale=filter_scale, gamma=gamma
    )
    assert (np.ceil(ours) == lengths.numpy()).all()
    padded = np.pad(signal.astype(np.float64), width // 2)
    frames = [padded[at : at + width] for at in range(0, len(padded) - width + 1, hop)]
    correlations = np.conj(kernels).astype(np.complex128) @ np.array(frames).T
    return correlations * np.sqrt(lengths.numpy())[:, None]


def case(kind, samples, rate, frames, **parameters):
    defaults = {"hop": 512, "f_min": C1, "n_bins": 84, "bins_per_octave": 12, "filter_scale": 1.0}
    if kind == "nnaudio":
        defaults |= {"padding": "zero", "scale": "ortho"}
    values = {"nnaudio": nnaudio, "direct": direct}[kind](noise(samples), rate, **(defaults | parameters))
    assert values.shape[1] == 1 + samples // (defaults | parameters)["hop"]
    kept = [[[float(f"{x:.6g}") for x in (v.real, v.imag)] for v in values[:, frame]] for frame in frames]
    return {
        "kind": kind, "samples": samples, "rate": rate, "parameters": parameters,
        "largest": float(np.abs(values).max()), "frames": frames, "values": kept,
    }


def differences():
    """Librosa's distance from direct kernels: of noise, and of a chord with a sweep through it, 10 s at 22,050 Hz."""
    rate, samples = 22050, 220500
    t = np.arange(samples) / rate
    chord = sum(np.sin(2 * np.pi * C1 * 2 ** (k / 12) * t) for k in (12, 28, 43, 60))
    sweep = np.sin(2 * np.pi * 60 * t * (1 + 3 * t))
    signals = {"noise": noise(samples), "chord and sweep": ((chord + sweep) / 8).astype(np.float32)}
    for name, signal in signals.items():
        for gamma in (0, 20):
            exact = direct(signal, rate, 512, C1, 84, 12, gamma, 1.0)
            other = librosa.vqt(signal, sr=rate, gamma=gamma, pad_mode="constant", res_type="soxr_hq")
            # Where the longest window stays inside of the clip.
            inside = slice(12, -12)
            exact, other = exact[:, inside], other[:, inside]
            magnitude = np.abs(np.abs(other) - np.abs(exact))
            print(
                f"librosa.vqt, gamma {gamma}, {name}: largest difference of magnitudes "
                f"{magnitude.max() / np.abs(exact).max():.2e} of the largest, root mean square "
                f"{np.sqrt((magnitude**2).sum() / (np.abs(exact) ** 2).sum()):.2e}"
            )


cases = [
    case("nnaudio", 33000, 22050, [0, 1, 20, 33, 47, 64]),
    case("nnaudio", 20000, 16000, [0, 40, 77, 124], hop=160, f_min=110.0, n_bins=100, bins_per_octave=24,
         filter_scale=0.7, padding="reflect", scale="amplitude"),
    # A window three times as long as the clip.
    case("nnaudio", 4000, 22050, [0, 3, 6], hop=600, n_bins=40),
    case("direct", 33000, 22050, [0, 20, 41, 64], gamma=12.5),
    case("direct", 30000, 24000, [0, 25, 68], hop=441, f_min=41.2, n_bins=96, filter_scale=1.3, gamma=3.0),
]
path = pathlib.Path(__file__).parent / "cqt.json"
path.write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")
differences()
