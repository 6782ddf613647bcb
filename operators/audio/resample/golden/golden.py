"""Makes soxr_44100.f32 and soxr_48000.f32: what soxr (very high quality) makes of a test signal at 16 kHz.

    pip install numpy soxr
    python3 golden.py

The signal has nothing above 0.85 of the new Nyquist frequency, where filters differ.
"""
import pathlib

import numpy
import soxr

TO = 16_000
SECONDS = 0.1


def signal(rate):
    """The same function of time, sampled at any rate."""
    t = numpy.arange(round(SECONDS * rate)) / rate
    chirp = numpy.sin(2 * numpy.pi * (200 * t + 5_000 / SECONDS * t**2 / 2))
    tones = sum(numpy.sin(2 * numpy.pi * (500 + 780 * tone) * t + tone) for tone in range(7))
    return numpy.sin(numpy.pi * t / SECONDS) ** 4 * (0.4 * chirp + 0.05 * tones)


for rate in [44_100, 48_000]:
    samples = signal(rate)
    spectrum = numpy.abs(numpy.fft.rfft(samples, 1 << 16))
    above = spectrum[int(0.85 * TO / rate * len(spectrum)):].max() / spectrum.max()
    print(f"{rate}: {20 * numpy.log10(above):.0f} dB above 0.85 of the new Nyquist frequency")
    result = soxr.resample(samples, rate, TO, quality="VHQ").astype("<f4")
    exact = signal(TO)
    off = numpy.sqrt(numpy.mean((result - exact) ** 2) / numpy.mean(exact**2))
    print(f"{rate}: soxr is {20 * numpy.log10(off):.1f} dB from the signal at the new rate")
    result.tofile(pathlib.Path(__file__).parent / f"soxr_{rate}.f32")
