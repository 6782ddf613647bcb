"""Whether the contenders did the same work: clips of each recording, and one clip's samples.

Reads a JSON text from standard input: {"recordings": [[item, path], …], "examined": [item, …],
"outputs": {name: {"kind": "parquet" | "segments", "out": folder}}}, and prints for each name how
many clips there are, how many recordings have a number of clips that is off by more than one,
and, over the recordings examined, the greatest difference from ffmpeg's decoder with its best
resampler, after the clip's place and gain were fitted.
"""
import io
import json
import pathlib
import subprocess
import sys

import numpy
import pyarrow.parquet
import soundfile

RATE = 16000
CLIP = 10 * RATE
# What is compared of a clip, and how far off it may be.
WINDOW, SEARCH = 3 * RATE, RATE // 2


def decode(path, *options):
    """The recording in mono at 16 kHz, by ffmpeg."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-map", "0:a:0", *options,
               "-ar", str(RATE), "-ac", "1", "-f", "s16le", "-"]
    return numpy.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, "<i2") / 32768.0


def compare(samples, start, wanted):
    """(difference in dB, gain in dB, place in samples), the place and the gain fitted."""
    middle = max(0, (len(samples) - WINDOW) // 2)
    samples, start = samples[middle: middle + WINDOW], start + middle
    low, high = max(0, start - SEARCH), min(len(wanted), start + len(samples) + SEARCH)
    window = wanted[low:high]
    size = 1 << (len(window) + len(samples)).bit_length()
    ours, theirs = numpy.fft.rfft(samples, size), numpy.fft.rfft(window, size)
    product = theirs * numpy.conj(ours)
    coarse = int(numpy.argmax(numpy.fft.irfft(product, size)[: max(1, len(window) - len(samples) + 1)]))
    frequency = numpy.arange(len(product)) * (2 * numpy.pi / size)

    def at(place):
        shifted = numpy.fft.irfft(theirs * numpy.exp(1j * frequency * place), size)[: len(samples)]
        gain = numpy.dot(samples, shifted) / numpy.dot(shifted, shifted)
        # The edges have no neighbours to be interpolated from.
        inner = slice(RATE // 10, len(samples) - RATE // 10)
        error = samples[inner] - gain * shifted[inner]
        return numpy.sqrt(numpy.mean(error**2) / numpy.mean(samples[inner] ** 2)), gain, place

    near = min(at(coarse + step / 4) for step in range(-4, 5))
    error, gain, place = min(at(near[2] + step / 32) for step in range(-7, 8))
    decibels = lambda ratio: float(20 * numpy.log10(max(abs(ratio), 1e-6)))
    return decibels(error), decibels(gain), float(place + low - start)


def read_parquet(out):
    """{item: [(start, file, row)]} of all shards below a folder."""
    clips = {}
    for path in sorted(pathlib.Path(out).rglob("*.parquet")):
        table = pyarrow.parquet.read_table(path, columns=["item", "start"])
        for row, (item, start) in enumerate(zip(*(column.to_pylist() for column in table.columns))):
            clips.setdefault(item, []).append((start, path, row))
    return {item: sorted(found) for item, found in clips.items()}


def parquet_clip(clip):
    start, path, row = clip
    bytes_ = pyarrow.parquet.read_table(path, columns=["audio"])["audio"][row].as_py()["bytes"]
    return start, soundfile.read(io.BytesIO(bytes_))[0]


def read_segments(out):
    out = pathlib.Path(out)
    places = json.loads((out / "places.json").read_text())
    return {item: [(number * CLIP, path) for number, path in enumerate(sorted((out / place).iterdir()))]
            for item, place in places.items()}


def segment_clip(clip):
    # Not by libsndfile: the segmenter leaves FLAC files without a length, which it refuses to read.
    start, path = clip
    return start, decode(path)


def main():
    question = json.load(sys.stdin)
    recordings = dict(question["recordings"])
    best = "resampler=soxr:precision=28" if question["soxr"] else "filter_size=128:phase_shift=14"
    references, lengths = {}, {}
    for item in question["examined"]:
        references[item] = decode(recordings[item], "-af", f"aresample={best}")
        lengths[item] = -(-len(references[item]) // CLIP)
    read = {name: (read_parquet if output["kind"] == "parquet" else read_segments)(output["out"])
            for name, output in question["outputs"].items()}
    # What most contenders say of the number of clips.
    counts = {}
    for item in recordings:
        numbers = sorted(len(clips.get(item, [])) for clips in read.values())
        counts[item] = numbers[len(numbers) // 2]
    answer = {}
    for name, clips in read.items():
        load = parquet_clip if question["outputs"][name]["kind"] == "parquet" else segment_clip
        worst, gains, places, missing = -120.0, [], [], []
        for item, wanted in references.items():
            if not clips.get(item) or abs(len(clips[item]) - lengths[item]) > 1:
                missing.append(item)
                continue
            start, samples = load(clips[item][(lengths[item] - 1) // 2])
            difference, gain, place = compare(samples, start, wanted)
            worst = max(worst, difference)
            gains.append(gain)
            places.append(place)
        answer[name] = {
            "clips": sum(map(len, clips.values())),
            "off": sorted({*missing, *(item for item in recordings if abs(len(clips.get(item, [])) - counts[item]) > 1)}),
            "difference_db": worst, "gain_db": max(gains, key=abs, default=None),
            "place": max(places, key=abs, default=None),
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
