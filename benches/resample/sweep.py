"""Measures Étude's change of rate beside soxr and torchaudio: pass-band, aliases, CPU time.

    pip install -r requirements.txt            # and torchaudio, to have it in the table
    cargo build --release --workspace --example resample
    python3 sweep.py target/release/examples/resample --picture docs/resample.svg

Tones one after another, 0.5 s each, go from one rate to the other. Of each result the middle half
is looked at: how much of the tone is there, and how loud everything else is.
"""
import argparse
import dataclasses
import pathlib

import contenders

contenders.pinned()

import numpy  # noqa: E402  (after the number of threads)

TONE = 0.5
PAIRS = [(44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (44_100, 48_000), (44_099, 16_000)]


@dataclasses.dataclass
class Swept:
    hz: numpy.ndarray
    kept: numpy.ndarray      # dB of the tone itself
    all: numpy.ndarray       # dB of everything that comes out
    rest: numpy.ndarray      # dB of what is not the tone


def decibels(amplitude):
    return 20 * numpy.log10(numpy.maximum(amplitude, 1e-12))


def frequencies(from_rate, to_rate):
    nyquist, end = min(from_rate, to_rate) / 2, from_rate / 2
    grid = [numpy.linspace(0.01, 0.85, 43), numpy.linspace(0.85, 1.2, 141)[1:]]
    if end > 1.2 * nyquist:
        grid.append(numpy.linspace(1.2, 0.995 * end / nyquist, 60)[1:])
    hz = numpy.concatenate(grid) * nyquist
    return hz[hz < 0.998 * end]


def sweep(contender, from_rate, to_rate):
    hz = frequencies(from_rate, to_rate)
    frames = round(TONE * from_rate)
    time = numpy.arange(frames) / from_rate
    tones = numpy.concatenate([0.5 * numpy.cos(2 * numpy.pi * one * time) for one in hz]).astype(numpy.float32)
    result = contender.resample(tones, from_rate, to_rate).astype(numpy.float64)
    kept, loud, rest = [], [], []
    for index, one in enumerate(hz):
        begin = (index + 0.25) * frames * to_rate / from_rate
        places = numpy.arange(round(begin), round(begin + TONE * to_rate / 2))
        piece = result[places]
        angle = 2 * numpy.pi * one * (places / to_rate - index * frames / from_rate)
        waves = numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
        if one < to_rate / 2:
            part = numpy.linalg.lstsq(waves, piece, rcond=None)[0]
        else:
            part = numpy.zeros(2)
        kept.append(numpy.hypot(*part) / 0.5)
        loud.append(numpy.sqrt(numpy.mean(piece**2) / 0.125))
        rest.append(numpy.sqrt(numpy.mean((piece - waves @ part) ** 2) / 0.125))
    return Swept(hz, *(decibels(numpy.array(values)) for values in (kept, loud, rest)))


def place(swept, level):
    """Up to where it is kept within `level` dB."""
    low = numpy.flatnonzero(numpy.abs(swept.kept) > level)
    return swept.hz[low[0] - 1] if len(low) else swept.hz[-1]


def quality_table(found, from_rate, to_rate):
    print(f"\n{from_rate} to {to_rate} Hz. Frequencies as parts of the lower Nyquist frequency.\n")
    print("| | ripple up to 0.9, dB | within 0.1 dB up to | within 3 dB up to | tones from 1.0 on, dB | from 1.1 on "
          "| noise in the pass-band, dB |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    results = {}
    nyquist = min(from_rate, to_rate) / 2
    for one in found:
        swept = results[one.name] = sweep(one, from_rate, to_rate)
        part = swept.hz / nyquist

        def worst(values, chosen):
            return f"{values[chosen].max():.0f}" if chosen.any() else "-"
        ripple = numpy.abs(swept.kept[part <= 0.9]).max()
        print(f"| {one.name} | {ripple:.4f} | {place(swept, 0.1) / nyquist:.3f} | {place(swept, 3) / nyquist:.3f} "
              f"| {worst(swept.all, part >= 1)} | {worst(swept.all, part >= 1.1)} "
              f"| {worst(swept.rest, part <= 0.9)} |", flush=True)
    return results


def time_table(found, minutes):
    print("\nSeconds of one thread for an hour of one channel.\n")
    print("| | " + " | ".join(f"{a} → {b}" for a, b in PAIRS) + " |")
    print("| --- |" + " --: |" * len(PAIRS))
    generator = numpy.random.default_rng(1)
    for one in found:
        cells = []
        for from_rate, to_rate in PAIRS:
            # torchaudio's table of filters for a ratio of large numbers would fill the memory.
            if one.name.startswith("torchaudio") and from_rate == 44_099:
                cells.append("-")
                continue
            samples = generator.uniform(-0.5, 0.5, minutes * 60 * from_rate).astype(numpy.float32)
            least = min(one.seconds(samples, from_rate, to_rate, 2) for _ in range(3))
            cells.append(f"{least * 60 / minutes:.2f}")
        print(f"| {one.name} | " + " | ".join(cells) + " |", flush=True)


def draw(results, from_rate, to_rate, path):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "resample"
    from matplotlib import pyplot

    nyquist = min(from_rate, to_rate) / 2
    figure, (wide, near) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, swept in results.items():
        style = {"linewidth": 1.6 if name.startswith("Étude") else 1,
                 "linestyle": "-" if name.startswith("Étude") else "--"}
        wide.plot(swept.hz / 1000, swept.all, label=name, **style)
        near.plot(swept.hz / nyquist, swept.kept, **style)
    wide.set(xlabel="tone, kHz", ylabel="all that comes out, dB", ylim=(-165, 5), title=f"{from_rate} → {to_rate} Hz")
    wide.axvline(nyquist / 1000, color="grey", linewidth=0.6)
    near.set(xlabel="tone, part of the new Nyquist frequency", ylabel="what is kept of it, dB", xlim=(0.7, 1.02),
             ylim=(-3.2, 0.2), title="The end of the pass-band")
    near.axhspan(-0.1, 0.1, color="grey", alpha=0.2, linewidth=0)
    near.axvline(0.9, color="grey", linewidth=0.6)
    wide.legend(fontsize=8)
    for axes in (wide, near):
        axes.grid(linewidth=0.3)
    figure.savefig(path, metadata={"Date": None})
    print(f"\n{path}: {path.stat().st_size / 1000:.0f} kB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, help="the example `resample`, built in release")
    parser.add_argument("--from", dest="from_rate", type=int, default=44_100)
    parser.add_argument("--to", dest="to_rate", type=int, default=16_000)
    parser.add_argument("--picture", type=pathlib.Path, help="an SVG file to be written")
    parser.add_argument("--minutes", type=int, default=10, help="audio to be timed with; 0 leaves the times out")
    arguments = parser.parse_args()
    found = contenders.contenders(arguments.program.resolve())
    results = quality_table(found, arguments.from_rate, arguments.to_rate)
    if arguments.picture:
        draw(results, arguments.from_rate, arguments.to_rate, arguments.picture)
    if arguments.minutes:
        time_table(found, arguments.minutes)


if __name__ == "__main__":
    main()
