#!/usr/bin/env python3
"""Reference figures for level and loudness from numpy, pyloudnorm and ffmpeg.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 pyloudnorm==0.2.0
    venv/bin/python operators/audio/measure/golden/measure.py

writes measure.json beside this file; ffmpeg has to be on the path. No audio is stored: the signals
come from the closed formula below, computed in f64 and rounded to f32.

`rms_db`, `peak_db` and `clipping` are numpy's over all samples of all channels. `pyloudnorm` and
`ffmpeg` are integrated loudness in LUFS. What is shorter than a block of 0.4 s has no integrated
loudness there: `whole` is the power of the signal after pyloudnorm's own K-weighting, without gates.
"""
import json
import pathlib
import re
import subprocess

import numpy
import pyloudnorm

HERE = pathlib.Path(__file__).parent
FORMULA = (
    "third = floor(3*t/frames); gain = [1, 0.05, 0.5][third] * scale; x[c][t] = clip(gain * "
    "(0.4*sin(2*pi*(220+180*c)*t/rate) + 0.1*sin(2*pi*(1500+300*c)*t/rate)), -1, 1), in f64, then f32"
)
# rate, channels, frames, scale, ffmpeg's name of the channels
CASES = [
    (48000, 1, 144000, 1.0, "mono"),
    (48000, 2, 144000, 1.0, "stereo"),
    (44100, 2, 200000, 0.1, "stereo"),
    (16000, 1, 80000, 0.5, "mono"),
    (16000, 2, 6500, 1.0, "stereo"),
    (48000, 5, 120000, 0.3, "5.0"),
    (48000, 6, 120000, 0.3, "5.1"),
    (22050, 2, 60000, 3.0, "stereo"),
    (16000, 1, 4000, 1.0, "mono"),
    (44100, 2, 17639, 0.2, "stereo"),
]


def signal(rate, channels, frames, scale):
    """Frames by channels, as f32."""
    t = numpy.arange(frames, dtype=numpy.float64)[:, None]
    c = numpy.arange(channels, dtype=numpy.float64)[None, :]
    gain = numpy.array([1, 0.05, 0.5])[(3 * t // frames).astype(int)] * scale
    tones = 0.4 * numpy.sin(2 * numpy.pi * (220 + 180 * c) * t / rate)
    tones += 0.1 * numpy.sin(2 * numpy.pi * (1500 + 300 * c) * t / rate)
    return numpy.clip(gain * tones, -1, 1).astype(numpy.float32)


def ffmpeg(audio, rate, layout):
    """The last integrated loudness that ffmpeg's meter tells."""
    command = ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", str(rate), "-ch_layout", layout, "-i", "-"]
    command += ["-af", "ebur128=metadata=1,ametadata=print:key=lavfi.r128.I:file=-", "-f", "null", "-"]
    text = subprocess.run(command, input=audio.tobytes(), stdout=subprocess.PIPE, check=True).stdout.decode()
    return float(re.findall(r"lavfi\.r128\.I=(\S+)", text)[-1])


def whole(audio, rate):
    """Loudness without gates: the mean power after the K-weighting."""
    weighted = audio.astype(numpy.float64)
    for stage in pyloudnorm.Meter(rate)._filters.values():
        for channel in range(weighted.shape[1]):
            weighted[:, channel] = stage.apply_filter(weighted[:, channel])
    return -0.691 + 10 * numpy.log10((weighted**2).mean(axis=0).sum())


def case(rate, channels, frames, scale, layout):
    audio = signal(rate, channels, frames, scale)
    wide = audio.astype(numpy.float64)
    figures = {"rate": rate, "channels": channels, "frames": frames, "scale": scale}
    figures["rms_db"] = 20 * numpy.log10(numpy.sqrt((wide**2).mean()))
    figures["peak_db"] = 20 * numpy.log10(numpy.abs(wide).max())
    figures["clipping"] = (numpy.abs(audio) >= numpy.float32(0.999)).mean()
    if frames < 0.4 * rate:
        figures["whole"] = whole(audio, rate)
    else:
        if channels <= 5:
            figures["pyloudnorm"] = pyloudnorm.Meter(rate).integrated_loudness(wide)
        figures["ffmpeg"] = ffmpeg(audio, rate, layout)
    return {name: value if isinstance(value, int) else round(float(value), 6) for name, value in figures.items()}


def main():
    cases = [case(*parameters) for parameters in CASES]
    text = ",\n".join("    " + json.dumps(entry) for entry in cases)
    (HERE / "measure.json").write_text(f'{{\n  "formula": "{FORMULA}",\n  "cases": [\n{text}\n  ]\n}}\n')


main()
