"""Who is compared. Each takes samples as float32 and gives them back at another rate."""
import os
import pathlib
import subprocess
import tempfile
import time

import numpy


class Etude:
    """Through the example `resample`: nothing but the engine of the operator."""

    def __init__(self, program, quality):
        self.program, self.quality = program, quality
        self.name = f"Étude {quality}"

    def _run(self, samples, from_rate, to_rate, times):
        with tempfile.TemporaryDirectory() as folder:
            before, after = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
            samples.astype("<f4").tofile(before)
            done = subprocess.run([self.program, str(from_rate), str(to_rate), self.quality, before, after, str(times)],
                                  check=True, capture_output=True, text=True)
            return numpy.fromfile(after, "<f4"), float(done.stdout)

    def resample(self, samples, from_rate, to_rate):
        return self._run(samples, from_rate, to_rate, 1)[0]

    def seconds(self, samples, from_rate, to_rate, times):
        """Seconds of the fastest time, on one thread, without starting, reading and writing."""
        return self._run(samples, from_rate, to_rate, times)[1]


class Inside:
    """What Python calls in its own process."""

    def __init__(self, name, resample):
        self.name, self.call = name, resample

    def resample(self, samples, from_rate, to_rate):
        return self.call(samples.astype(numpy.float32), from_rate, to_rate)

    def seconds(self, samples, from_rate, to_rate, times):
        self.resample(samples[:from_rate], from_rate, to_rate)
        begin = time.process_time()
        for _ in range(times):
            self.resample(samples, from_rate, to_rate)
        return (time.process_time() - begin) / times


def soxr(quality):
    import soxr as library

    def call(samples, from_rate, to_rate):
        stream = library.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=quality)
        pieces = [stream.resample_chunk(samples[at:at + 16_384]) for at in range(0, len(samples), 16_384)]
        return numpy.concatenate([*pieces, stream.resample_chunk(samples[:0], last=True)])
    return Inside(f"soxr {quality}", call)


def torchaudio(name, **options):
    import torch
    import torchaudio.transforms

    torch.set_num_threads(1)
    made = {}

    def call(samples, from_rate, to_rate):
        if (from_rate, to_rate) not in made:
            made[from_rate, to_rate] = torchaudio.transforms.Resample(from_rate, to_rate, **options)
        return made[from_rate, to_rate](torch.from_numpy(samples)[None])[0].numpy()
    return Inside(f"torchaudio {name}", call)


def contenders(program):
    """All that are installed."""
    found = [Etude(program, quality) for quality in ("fast", "high", "best")]
    found += [soxr("HQ"), soxr("VHQ")]
    try:
        found.append(torchaudio("default"))
        # The settings that its documentation gives as equal to librosa's and resampy's "kaiser_best".
        found.append(torchaudio("kaiser_best", resampling_method="sinc_interp_kaiser", lowpass_filter_width=64,
                                rolloff=0.9475937167399596, beta=14.769656459379492))
    except (ImportError, OSError, RuntimeError) as error:
        print(f"torchaudio is left out: {error}")
    return found


def pinned():
    """One thread everywhere: to be called before the libraries load."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
