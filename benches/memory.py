"""Peak memory of the data path against the length of a recording, and for headers that claim too much."""
import pathlib
import shutil
import statistics
import struct

import corpus
from process import measure

HERE = pathlib.Path(__file__).resolve().parent


def _run(setting, folder, may_fail=False):
    """The path over one folder: what it took, and the bytes of its shards."""
    out = setting.scratch / "memory"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = [setting.etude, "run", HERE / "path.yaml", "--set", f"music={folder}", "--set", "codec=flac",
               "--store", out / "store", "--threads", setting.threads, "--max-rejects", "100%"]
    usage = measure(command, interval=0.01)
    if usage.code and not may_fail:
        raise SystemExit(f"étude, {folder.name}: {usage.stderr.strip()[-2000:]}")
    shards = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    shutil.rmtree(out)
    return usage, shards


def lengths(setting, paths, repeat):
    """For each long recording: peaks in bytes and seconds of `repeat` runs."""
    rows = []
    for (name, hours), path in sorted(paths.items()):
        corpus.warm(path.parent)
        runs = [_run(setting, path.parent) for _ in range(repeat)]
        if not all(shards > hours * 10_000_000 for _, shards in runs):
            raise SystemExit(f"étude kept next to nothing of {path}")
        rows.append({"format": name, "hours": hours, "peaks": [usage.peak for usage, _ in runs],
                     "wall": min(usage.wall for usage, _ in runs), "cpu": min(usage.cpu for usage, _ in runs)})
        print(f"  {name}, {hours} h: {max(rows[-1]['peaks']) / 2**20:.0f} MiB", flush=True)
    return rows


def slope(rows, name):
    """Bytes an hour more that a longer recording takes, from the medians."""
    found = sorted((row["hours"], statistics.median(row["peaks"])) for row in rows if row["format"] == name)
    (short, low), (long, high) = found[0], found[-1]
    return (high - low) / (long - short)


SECOND = struct.pack("<h", 1000) * 44100


def _wav(claimed):
    """A second of audio behind a header that claims so many bytes."""
    body = struct.pack("<HHIIHH", 1, 1, 44100, 88200, 2, 16)
    return b"RIFF" + struct.pack("<I", min(claimed + 36, 0xFFFFFFFF)) + b"WAVEfmt " + struct.pack("<I", len(body)) \
        + body + b"data" + struct.pack("<I", claimed) + SECOND


def _slow_wav():
    """40 bytes a second, so that the 32 bits of a WAV header claim 10^8 seconds."""
    body = struct.pack("<HHIIHH", 1, 1, 40, 40, 1, 8)
    return b"RIFF" + struct.pack("<I", 4_000_000_036) + b"WAVEfmt " + struct.pack("<I", len(body)) \
        + body + b"data" + struct.pack("<I", 4_000_000_000) + bytes(range(100, 140)) * 60


def _rf64():
    """RF64 counts in 64 bits."""
    data = 100_000_000 * 88200
    body = struct.pack("<HHIIHH", 1, 1, 44100, 88200, 2, 16)
    return b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEds64" + struct.pack("<IQQQI", 28, data + 72, data, data // 2, 0) \
        + b"fmt " + struct.pack("<I", len(body)) + body + b"data" + struct.pack("<I", 0xFFFFFFFF) + SECOND


def claims(setting, work, flac):
    """Recordings of a second or so whose headers claim up to 10^8 seconds."""
    # No more than is needed: what this process holds counts for its children until they are under way.
    with open(flac, "rb") as file:
        whole = bytearray(file.read(1 << 20))
    # STREAMINFO ends with 36 bits of total samples, from the low half of byte 21 on, and an MD5.
    whole[21] |= 0x0F
    whole[22:26] = b"\xff" * 4
    files = {
        "WAV, 10^8 s at 40 Hz": ("slow.wav", _slow_wav()),
        "RF64, 10^8 s": ("long.wav", _rf64()),
        "WAV, 4 GiB": ("full.wav", _wav(0xFFFFFFF0)),
        "FLAC, 2^36 - 1 samples": ("long.flac", bytes(whole)),
    }
    rows = []
    for number, (name, (file, content)) in enumerate(files.items()):
        folder = work / "claims" / str(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / file).write_bytes(content)
        usage, shards = _run(setting, folder, may_fail=True)
        lines = [line.strip() for line in usage.stderr.splitlines() if file in line]
        rows.append({"claim": name, "peak": usage.peak, "wall": usage.wall, "code": usage.code, "shards": shards,
                     "said": lines[:2]})
    return rows
