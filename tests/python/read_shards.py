"""Read shards with pyarrow, and the audio in them with libsndfile; check what the docs say.

usage: read_shards.py CODEC SHARD...
"""
import io
import json
import sys

import numpy
import pyarrow
import pyarrow.parquet
import soundfile

codec, *paths = sys.argv[1:]
expected = pyarrow.schema([
    pyarrow.field("item", pyarrow.string(), nullable=False),
    pyarrow.field("start", pyarrow.int64(), nullable=False),
    pyarrow.field("view", pyarrow.int32(), nullable=False),
    pyarrow.field("rate", pyarrow.int32(), nullable=False),
    pyarrow.field("channels", pyarrow.int32(), nullable=False),
    pyarrow.field("frames", pyarrow.int64(), nullable=False),
    pyarrow.field("audio", pyarrow.struct([
        pyarrow.field("bytes", pyarrow.binary()),
        pyarrow.field("path", pyarrow.string()),
    ])),
])
assert paths, "no shards"
rows = 0
for path in paths:
    file = pyarrow.parquet.ParquetFile(path)
    assert file.schema_arrow.equals(expected), file.schema_arrow
    assert b"etude" in file.metadata.metadata
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == expected.names and features["audio"] == {"_type": "Audio"}
    for group in range(file.num_row_groups):
        assert file.metadata.row_group(group).total_byte_size <= 8 << 20
    keys = []
    for row in file.read().to_pylist():
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32", always_2d=True)
        assert rate == row["rate"] == 16000
        assert samples.shape == (row["frames"], row["channels"]) == (160000, 1), samples.shape
        assert row["start"] % 160000 == 0 and row["view"] == 0
        assert row["audio"]["path"] == f"{row['item']}@{row['start']}." + ("flac" if codec == "flac" else "wav")
        assert numpy.abs(samples).max() > 0
        keys.append((row["item"], row["start"]))
        rows += 1
    assert keys == sorted(keys), "rows are in the order of items and starts"
assert rows > 20, rows
