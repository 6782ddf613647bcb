"""Makes mfcc.json: cepstral coefficients by librosa and torchaudio. See framed/golden/common.py for what it needs."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "framed/golden"))

import librosa
import torch
import torchaudio
from common import RATE, case, signal, write

samples = signal()
PADDING = {"zero": "constant", "reflect": "reflect"}


def by_librosa(mel, **rest):
    top_db = rest.get("compress", {"db": {"top_db": 80.0}})["db"].get("top_db")
    bands = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=mel["n_fft"], hop_length=mel["hop"], n_mels=mel["n_mels"],
        center=mel.get("padding", "none") != "none", pad_mode=PADDING.get(mel.get("padding"), "constant"),
        htk=mel.get("scale", "htk") == "htk", norm=mel.get("norm"),
    )
    values = librosa.feature.mfcc(
        S=librosa.power_to_db(bands, top_db=top_db), n_mfcc=rest.get("n_mfcc", 20),
        norm=None if rest.get("norm") == "none" else "ortho", lifter=rest.get("lifter", 0),
    )
    return case({"mel": mel, **rest}, "librosa", values)


def by_torchaudio(mel, log_mels=False, **rest):
    transform = torchaudio.transforms.MFCC(
        RATE, rest["n_mfcc"], norm="ortho", log_mels=log_mels,
        melkwargs={"n_fft": mel["n_fft"], "hop_length": mel["hop"], "n_mels": mel["n_mels"],
                   "f_min": mel.get("f_min", 0.0), "pad_mode": PADDING[mel["padding"]]},
    )
    compress = {"compress": {"log": {"offset": 1e-6}}} if log_mels else {}
    return case({"mel": mel, **rest, **compress}, "torchaudio", transform(torch.from_numpy(samples)))


write(__file__, [
    by_librosa({"n_fft": 2048, "hop": 512, "n_mels": 128, "padding": "zero", "scale": "slaney", "norm": "slaney"}),
    by_librosa({"n_fft": 512, "hop": 160, "n_mels": 40}, n_mfcc=13, lifter=22.0),
    by_librosa({"n_fft": 400, "hop": 111, "n_mels": 32, "padding": "reflect"}, n_mfcc=32, norm="none", compress={"db": {}}),
    by_librosa({"n_fft": 512, "hop": 160, "n_mels": 24}, n_mfcc=12, compress={"db": {"top_db": 20.0}}),
    by_torchaudio({"n_fft": 400, "hop": 200, "n_mels": 128, "padding": "reflect"}, n_mfcc=40),
    by_torchaudio({"n_fft": 512, "hop": 150, "n_mels": 64, "padding": "zero", "f_min": 60.0}, n_mfcc=20, log_mels=True),
])
