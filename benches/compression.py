#!/usr/bin/env python3
"""What compressing the clips of shards would save, and what it would cost.

usage: compression.py SHARD...        (needs pyarrow)

Each clip is compressed alone, as it would have to be to be read alone. Prints a Markdown row: the size
of the clips in MB an hour of sound, and for each level of zstd the share that is left and the CPU
seconds an hour of sound.
"""
import sys
import time

import pyarrow
import pyarrow.parquet

LEVELS = (1, 3, 9)


def clips(paths):
    """The bytes of each clip, and its seconds."""
    for path in paths:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=64, columns=["rate", "frames", "audio"]):
            for row in batch.to_pylist():
                yield row["audio"]["bytes"], row["frames"] / row["rate"]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    codecs = {level: pyarrow.Codec("zstd", compression_level=level) for level in LEVELS}
    plain, seconds = 0, 0.0
    size, spent = dict.fromkeys(LEVELS, 0), dict.fromkeys(LEVELS, 0.0)
    for content, length in clips(sys.argv[1:]):
        plain, seconds = plain + len(content), seconds + length
        for level, codec in codecs.items():
            begin = time.process_time()
            size[level] += len(codec.compress(content))
            spent[level] += time.process_time() - begin
    hours = seconds / 3600
    cells = [f"{100 * size[level] / plain:.0f} %, {spent[level] / hours:.1f} s" for level in LEVELS]
    print(f"| {plain / hours / 1e6:.1f} MB | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
