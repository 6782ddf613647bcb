"""Compare the one row of a f32 shard with what ffmpeg decodes from the recording.

usage: compare_ffmpeg.py SHARD RECORDING
"""
import io
import subprocess
import sys

import numpy
import pyarrow.parquet
import soundfile

shard, recording = sys.argv[1:]
(row,) = pyarrow.parquet.read_table(shard).to_pylist()
ours, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32", always_2d=True)
raw = subprocess.run(["ffmpeg", "-v", "error", "-i", recording, "-f", "f32le", "-"], check=True, capture_output=True).stdout
theirs = numpy.frombuffer(raw, "<f4").reshape(-1, ours.shape[1])
print(recording, ours.shape, theirs.shape, file=sys.stderr)
assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
noise = numpy.square(ours.astype("f8") - theirs).sum()
ratio = 10 * numpy.log10(numpy.square(theirs.astype("f8")).sum() / max(noise, 1e-30))
print(f"signal to difference {ratio:.1f} dB", file=sys.stderr)
assert ratio >= (90 if recording.endswith(".wav") else 60), ratio
