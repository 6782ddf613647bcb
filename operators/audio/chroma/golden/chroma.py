"""Makes chroma.json: chromagrams by librosa. See framed/golden/common.py for what it needs."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "framed/golden"))

import librosa
import numpy as np
from common import RATE, case, signal, write

NORMS = {"max": np.inf, "l1": 1, "l2": 2, "none": None}

samples = signal()


def figures(padding="none", norm="max", **rest):
    n_fft, n_chroma = rest.get("n_fft", 2048), rest.get("n_chroma", 12)
    power = np.abs(librosa.stft(
        samples, n_fft=n_fft, hop_length=rest.get("hop", 512), win_length=rest.get("window_length", n_fft),
        center=padding != "none", pad_mode={"reflect": "reflect"}.get(padding, "constant"),
    )) ** 2
    values = librosa.feature.chroma_stft(
        S=power, sr=RATE, n_fft=n_fft, norm=NORMS[norm], tuning=rest.get("tuning", 0.0), n_chroma=n_chroma,
        ctroct=rest.get("octave_centre", 5.0), octwidth=rest.get("octave_width", 2.0),
    )
    return case({**rest, "padding": padding, "norm": norm}, "librosa", values)


write(__file__, [
    figures(),
    figures(padding="zero"),
    figures(n_fft=1024, hop=300, tuning=0.3, norm="l2", padding="reflect"),
    figures(n_fft=1000, window_length=777, hop=333, n_chroma=36, tuning=-0.45, norm="l1"),
    figures(n_fft=2048, hop=1024, n_chroma=24, octave_centre=4.0, octave_width=1.0, norm="none"),
    figures(n_fft=512, hop=256, octave_width=None, norm="max"),
])
