"""Clips into a Parquet file with the columns of Étude's shards, written as fast as pyarrow can."""
import io
import struct

import numpy
import pyarrow
import pyarrow.parquet
import soundfile

RATE = 16000
CLIP = 10 * RATE
GROUP = 4 << 20

SCHEMA = pyarrow.schema([
    pyarrow.field("item", pyarrow.string(), nullable=False),
    pyarrow.field("start", pyarrow.int64(), nullable=False),
    pyarrow.field("rate", pyarrow.int32(), nullable=False),
    pyarrow.field("channels", pyarrow.int32(), nullable=False),
    pyarrow.field("frames", pyarrow.int64(), nullable=False),
    pyarrow.field("audio", pyarrow.struct([
        pyarrow.field("bytes", pyarrow.binary()),
        pyarrow.field("path", pyarrow.string()),
    ])),
])


def encode(samples, codec):
    """The bytes of a clip: a WAV or FLAC file of 16-bit samples, as Étude keeps them."""
    integers = numpy.rint(numpy.clip(samples * 32768, -32768, 32767)).astype("<i2")
    if codec == "flac":
        file = io.BytesIO()
        soundfile.write(file, integers, RATE, format="FLAC", subtype="PCM_16")
        return file.getvalue()
    body = integers.tobytes()
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16, 1, 1, RATE,
                       2 * RATE, 2, 16, b"data", len(body)) + body


class Writer:
    """Cuts recordings into clips and writes them, a row group for every 4 MiB."""

    def __init__(self, path, codec):
        self.codec = codec
        self.file = pyarrow.parquet.ParquetWriter(
            path, SCHEMA, compression="none", use_dictionary=False, write_statistics=False)
        self.rows, self.bytes = [], 0
        self.item, self.start, self.pieces, self.frames = None, 0, [], 0

    def begin(self, item):
        self.item, self.start, self.pieces, self.frames = item, 0, [], 0

    def samples(self, samples):
        """The next samples of the recording."""
        while self.frames + len(samples) >= CLIP:
            cut = CLIP - self.frames
            self._clip(numpy.concatenate([*self.pieces, samples[:cut]]) if self.pieces else samples[:cut])
            self.pieces, self.frames, samples = [], 0, samples[cut:]
        if len(samples):
            self.pieces.append(samples)
            self.frames += len(samples)

    def end(self):
        if self.frames:
            self._clip(numpy.concatenate(self.pieces))

    def _clip(self, samples):
        data = encode(samples, self.codec)
        self.rows.append({
            "item": self.item, "start": self.start, "rate": RATE, "channels": 1, "frames": len(samples),
            "audio": {"bytes": data, "path": f"{self.item}@{self.start}.{'flac' if self.codec == 'flac' else 'wav'}"},
        })
        self.start += len(samples)
        self.bytes += len(data)
        if self.bytes >= GROUP:
            self._flush()

    def _flush(self):
        if self.rows:
            self.file.write_table(pyarrow.Table.from_pylist(self.rows, SCHEMA))
        self.rows, self.bytes = [], 0

    def close(self):
        self._flush()
        self.file.close()
