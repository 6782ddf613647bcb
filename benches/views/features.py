"""The features: an operator each, beside what computes the same, with equal parameters; and what hides parts of them.

Spectra of 2048 samples, 512 apart, centred, mirrored at the ends; constant-Q transforms of seven octaves, silent there.
"""
from cases import Case

FRAMES = {"n_fft": 2048, "hop": 512, "padding": "reflect"}
LIBROSA = {"n_fft": 2048, "hop_length": 512, "pad_mode": "reflect"}
TORCHAUDIO = {"n_fft": 2048, "hop_length": 512}
MELS, COEFFICIENTS = 128, 20
OFFSET = 1e-6
CQT = {"hop": 512, "f_min": 32.70319566257483, "n_bins": 84, "bins_per_octave": 12}
CQT_LIBROSA = {"hop_length": 512, "fmin": CQT["f_min"], "n_bins": 84, "bins_per_octave": 12}
CQT_NNAUDIO = {**CQT_LIBROSA, "pad_mode": "constant", "output_format": "Magnitude", "verbose": False}
GAMMA = 20
HARMONICS = [1, 2, 3]
# So many that the third harmonic is below half of 16 kHz.
HARMONIC_BINS = 60
TOP_DB = 80
# SpecAugment's widths, the most of them; a torchaudio mask is of one width less.
TIMES, BANDS = 70, 27


def stft(librosa, setting):
    import numpy
    return lambda clip: numpy.abs(librosa.stft(clip, **LIBROSA))


def mel(librosa, setting):
    bands = {"n_mels": MELS, "htk": True, "norm": None}
    return lambda clip: librosa.feature.melspectrogram(y=clip, sr=setting.rate, **bands, **LIBROSA)


def log_mel(librosa, setting):
    import numpy
    power = mel(librosa, setting)
    return lambda clip: numpy.log(power(clip) + OFFSET)


def log_mel_torchaudio(torchaudio, setting):
    power = mel_torchaudio(torchaudio, setting)
    return lambda batch: (power(batch) + OFFSET).log()


def mel_torchaudio(torchaudio, setting):
    return torchaudio.transforms.MelSpectrogram(setting.rate, n_mels=MELS, **TORCHAUDIO)


def decibels(librosa, setting):
    power = mel(librosa, setting)
    return lambda clip: librosa.power_to_db(power(clip), ref=1.0, top_db=TOP_DB)


def decibels_torchaudio(torchaudio, setting):
    import torch
    # Of a batch it would take the highest value of all clips.
    return torch.nn.Sequential(mel_torchaudio(torchaudio, setting), torchaudio.transforms.AmplitudeToDB("power", TOP_DB))


def standardised(librosa, setting):
    bands = log_mel(librosa, setting)

    def apply(clip):
        values = bands(clip)
        return (values - values.mean()) / (values.std() + 1e-5)
    return apply


def standardised_torchaudio(torchaudio, setting):
    bands = log_mel_torchaudio(torchaudio, setting)

    def apply(batch):
        values = bands(batch)
        return (values - values.mean()) / (values.std(correction=0) + 1e-5)
    return apply


def spec_augment_torchaudio(torchaudio, setting):
    import torch
    times, bands = torchaudio.transforms.TimeMasking(TIMES + 1), torchaudio.transforms.FrequencyMasking(BANDS + 1)
    return torch.nn.Sequential(times, times, bands, bands)


def mfcc(librosa, setting):
    power = mel(librosa, setting)
    return lambda clip: librosa.feature.mfcc(S=librosa.power_to_db(power(clip)), n_mfcc=COEFFICIENTS)


def mfcc_torchaudio(torchaudio, setting):
    return torchaudio.transforms.MFCC(setting.rate, COEFFICIENTS, melkwargs={**TORCHAUDIO, "n_mels": MELS})


def chroma(librosa, setting):
    return lambda clip: librosa.feature.chroma_stft(y=clip, sr=setting.rate, tuning=0, **LIBROSA)


def cqt(librosa, setting):
    import numpy
    return lambda clip: numpy.abs(librosa.cqt(clip, sr=setting.rate, tuning=0, **CQT_LIBROSA))


def cqt_nnaudio(nnaudio, setting):
    """Of its two, that which is faster: direct kernels are long where the rate is high."""
    transform = nnaudio.CQT1992v2 if setting.rate < 32_000 else nnaudio.CQT2010v2
    return transform(setting.rate, **CQT_NNAUDIO)


def harmonic_nnaudio(nnaudio, setting):
    import torch
    direct = setting.rate < 32_000
    transform = nnaudio.CQT1992v2 if direct else nnaudio.CQT2010v2
    # The early downsampling of the one that goes down octave by octave is wrong here.
    bins = {**CQT_NNAUDIO, "n_bins": HARMONIC_BINS, **({} if direct else {"earlydownsample": False})}
    all_of = [transform(setting.rate, **{**bins, "fmin": h * CQT["f_min"]}) for h in HARMONICS]
    return lambda batch: torch.cat([one(batch) for one in all_of], 1)


def harmonic(librosa, setting):
    import numpy
    bins = {**CQT_LIBROSA, "n_bins": HARMONIC_BINS}
    return lambda clip: numpy.concatenate([
        numpy.abs(librosa.cqt(clip, sr=setting.rate, tuning=0, **{**bins, "fmin": h * CQT["f_min"]})) for h in HARMONICS])


def vqt_nnaudio(nnaudio, setting):
    """Its early downsampling is wrong at 44.1 kHz: bins do not correlate with anybody's."""
    return nnaudio.VQT(setting.rate, gamma=GAMMA, earlydownsample=False, **CQT_NNAUDIO)


def vqt(librosa, setting):
    import numpy
    return lambda clip: numpy.abs(librosa.vqt(clip, sr=setting.rate, tuning=0, gamma=GAMMA, **CQT_LIBROSA))


CASES = [
    Case("stft", lambda s: ("stft", {**FRAMES, "values": "magnitude"}), {
        "librosa": stft,
        "torchaudio": lambda t, s: t.transforms.Spectrogram(power=1, **TORCHAUDIO),
    }, "values", kind="feature"),
    Case("mel", lambda s: ("mel", {**FRAMES, "n_mels": MELS, "compress": "none"}), {
        "librosa": mel, "torchaudio": mel_torchaudio,
    }, "values", kind="feature"),
    Case("log mel", lambda s: ("mel", {**FRAMES, "n_mels": MELS, "compress": {"log": {"offset": OFFSET}}}), {
        "librosa": log_mel, "torchaudio": log_mel_torchaudio,
    }, "values", kind="feature"),
    Case("mel in dB", lambda s: ("mel", {**FRAMES, "n_mels": MELS, "compress": {"db": {"top_db": TOP_DB}}}), {
        "librosa": decibels, "torchaudio": decibels_torchaudio,
    }, "values", kind="feature"),
    Case("standardised log mel", lambda s: ("mel", {
        **FRAMES, "n_mels": MELS, "compress": {"log": {"offset": OFFSET}}, "standardise": "clip",
    }), {"librosa": standardised, "torchaudio": standardised_torchaudio}, "values", kind="feature"),
    Case("spec_augment", lambda s: ("spec_augment", {"time_width": [0, TIMES], "time_share": 1, "frequency_width": [0, BANDS]}), {
        "torchaudio": spec_augment_torchaudio,
    }, "length", kind="feature", of_features=True),
    Case("mfcc", lambda s: ("mfcc", {"mel": {**FRAMES, "n_mels": MELS}, "n_mfcc": COEFFICIENTS}), {
        "librosa": mfcc, "torchaudio": mfcc_torchaudio,
    }, "values", kind="feature"),
    Case("chroma", lambda s: ("chroma", FRAMES), {"librosa": chroma}, "values", kind="feature"),
    Case("cqt", lambda s: ("cqt", CQT), {"librosa": cqt, "nnaudio": cqt_nnaudio}, "values", kind="feature"),
    Case("vqt", lambda s: ("cqt", {**CQT, "gamma": GAMMA}), {"librosa": vqt, "nnaudio": vqt_nnaudio}, "values",
         kind="feature"),
    Case("harmonic cqt", lambda s: ("cqt", {**CQT, "n_bins": HARMONIC_BINS, "harmonics": HARMONICS}), {
        "librosa": harmonic, "nnaudio": harmonic_nnaudio,
    }, "values", kind="feature"),
]
