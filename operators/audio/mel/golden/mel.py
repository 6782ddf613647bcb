"""Makes mel.json: mel spectrograms by librosa and torchaudio. See framed/golden/common.py for what it needs."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "framed/golden"))

import librosa
import numpy as np
import torch
import torchaudio
from common import RATE, case, signal, write

PADDING = {"zero": "constant", "reflect": "reflect"}

samples = signal()


def figures(padding="none", scale="htk", norm="none", power=2, compress="none", **rest):
    n_fft, hop, n_mels = rest["n_fft"], rest["hop"], rest["n_mels"]
    length, f_min, f_max = rest.get("window_length", n_fft), rest.get("f_min", 0.0), rest.get("f_max")
    theirs = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=n_fft, hop_length=hop, win_length=length, center=padding != "none",
        pad_mode=PADDING.get(padding, "constant"), power=power, n_mels=n_mels, fmin=f_min, fmax=f_max,
        htk=scale == "htk", norm=None if norm == "none" else norm,
    )
    mel = torchaudio.transforms.MelSpectrogram(
        RATE, n_fft, length, hop, f_min, f_max, n_mels=n_mels, power=power, norm=None if norm == "none" else norm,
        center=padding != "none", pad_mode=PADDING.get(padding, "constant"), mel_scale=scale,
    )
    torchs = mel(torch.from_numpy(samples))
    if compress != "none":
        name, options = next(iter(compress.items()))
        theirs, torchs = compressed(name, options, theirs), compressed(name, options, torchs.numpy())
    parameters = {**rest, "padding": padding, "scale": scale, "norm": norm, "power": power, "compress": compress}
    return case(parameters, "librosa", theirs, ("torchaudio", torchs))


def compressed(name, options, bands):
    """Decibels by librosa, the rest by numpy in double precision."""
    if name == "db":
        to = librosa.amplitude_to_db if options.get("of") == "magnitude" else librosa.power_to_db
        floor = {"amin": options["floor"]} if "floor" in options else {}
        return to(bands, ref=options.get("reference", 1.0), top_db=options.get("top_db"), **floor)
    bands = bands.astype(np.float64)
    if name == "log":
        return np.log(bands + options.get("offset", 1e-6))
    if name == "log1p":
        return np.log1p(options.get("scale", 1.0) * bands)
    return np.log10(1 + options.get("scale", 1e4) * bands)


write(__file__, [
    figures(n_fft=512, hop=160, n_mels=64),
    figures(n_fft=512, hop=160, n_mels=64, compress={"log": {}}),
    figures(n_fft=400, hop=133, n_mels=40, padding="zero", scale="slaney", norm="slaney", f_min=50.0, f_max=7600.0),
    figures(n_fft=400, hop=160, n_mels=40, padding="reflect", norm="slaney", power=1, compress={"log1p": {"scale": 50.0}}),
    figures(n_fft=1024, window_length=400, hop=160, n_mels=96, padding="reflect", compress={"log10": {}}),
    figures(n_fft=300, window_length=201, hop=75, n_mels=20, scale="slaney", f_min=200.0, compress={"db": {"top_db": 30.0}}),
    figures(
        n_fft=256, hop=100, n_mels=32, padding="zero", power=1, f_max=4000.0,
        compress={"db": {"of": "magnitude", "reference": 2.0, "floor": 0.5}},
    ),
    figures(n_fft=2048, hop=512, n_mels=128, padding="zero", scale="slaney", norm="slaney", compress={"db": {"top_db": 80.0}}),
])
