"""Makes stft.json: spectra by librosa and torch. See framed/golden/common.py for what it needs."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "framed/golden"))

import librosa
import numpy as np
import torch
from common import case, signal, write

WINDOWS = {"hann": "hann", "hamming": "hamming", "blackman": "blackman", "rectangular": "boxcar"}
PADDING = {"zero": "constant", "reflect": "reflect"}

samples = signal()


def values(kind, spectrum):
    if kind == "complex":
        return np.concatenate([spectrum.real, spectrum.imag])
    return np.abs(spectrum) ** (2 if kind == "power" else 1)


def figures(window="hann", padding="none", kind="magnitude", window_length=None, **sizes):
    n_fft, hop = sizes["n_fft"], sizes["hop"]
    length = window_length or n_fft
    theirs = librosa.stft(
        samples, n_fft=n_fft, hop_length=hop, win_length=length, window=WINDOWS[window],
        center=padding != "none", pad_mode=PADDING.get(padding, "constant"),
    )
    weights = torch.ones(length)
    if window != "rectangular":
        weights = getattr(torch, f"{window}_window")(length, periodic=True)
    torchs = torch.stft(
        torch.from_numpy(samples), n_fft, hop, length, weights, center=padding != "none",
        pad_mode=PADDING.get(padding, "constant"), return_complex=True,
    )
    parameters = {**sizes, "window": window, "padding": padding, "values": kind}
    if window_length:
        parameters["window_length"] = window_length
    return case(parameters, "librosa", values(kind, theirs), ("torch", values(kind, torchs.numpy())))


write(__file__, [
    figures(n_fft=256, hop=128),
    figures(n_fft=128, hop=160, window="hamming", padding="zero", kind="power"),
    figures(n_fft=100, hop=33, window="blackman", padding="reflect", kind="complex"),
    figures(n_fft=64, hop=16, window="rectangular", kind="complex"),
    figures(n_fft=200, hop=77, window_length=151, padding="zero", kind="magnitude"),
    figures(n_fft=129, hop=50, window_length=100, padding="reflect", kind="power"),
])
