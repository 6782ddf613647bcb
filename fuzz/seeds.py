#!/usr/bin/env python3
"""Make the inputs that fuzzing begins with: a fifth of a second in every format, and shards of it.

usage: seeds.py ETUDE FOLDER

ETUDE is the program, FOLDER gets one folder a fuzz target. Without ffmpeg there are only WAV and shards.
What is there already is left alone: it grows while fuzzing.
"""
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

RATE, FRAMES = 16_000, 3200

FORMATS = {
    "u8.wav": ["-c:a", "pcm_u8"], "f64.wav": ["-c:a", "pcm_f64le"], "alaw.wav": ["-c:a", "pcm_alaw"],
    "adpcm.wav": ["-c:a", "adpcm_ima_wav"], "rf64.wav": ["-rf64", "always"], "a.w64": [], "a.aiff": [], "a.au": [],
    "a.caf": ["-c:a", "pcm_s16be"], "alac.caf": ["-c:a", "alac"], "a.flac": [], "a.oga": ["-c:a", "flac"],
    "a.mp3": ["-b:a", "32k"], "vbr.mp3": ["-q:a", "7"], "a.mp2": ["-ar", "44100"], "a.ogg": ["-c:a", "libvorbis"],
    "a.opus": ["-c:a", "libopus"], "a.webm": ["-c:a", "libopus"], "a.m4a": ["-c:a", "aac"], "alac.m4a": ["-c:a", "alac"],
    "fragments.mp4": ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"], "a.aac": [],
    "a.mka": ["-c:a", "aac"], "flac.mka": ["-c:a", "flac"],
}

PIPELINE = """
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode}
  clips:  {op: segment, seconds: 0.1}
  shards: {op: shards, codec: CODEC}
"""


def write_wav(path):
    """Two tones, 16 bit."""
    samples = [int(9000 * math.sin(2 * math.pi * hz * frame / RATE))
               for frame in range(FRAMES) for hz in (440, 660)]
    data = struct.pack(f"<{len(samples)}h", *samples)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 2, RATE,
                       RATE * 4, 4, 16, b"data", len(data))
    path.write_bytes(head + data)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    etude, folder = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    decode, shard_reader = folder / "decode", folder / "shard_reader"
    for path in (decode, shard_reader):
        path.mkdir(parents=True, exist_ok=True)
    wav = decode / "a.wav"
    write_wav(wav)
    if shutil.which("ffmpeg"):
        for name, options in FORMATS.items():
            if not (decode / name).exists():
                subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", wav, *options,
                                decode / name], check=False)
    else:
        print("ffmpeg is not installed: decode begins with WAV alone", file=sys.stderr)
    for codec in ("flac", "i16", "f32"):
        if (shard_reader / f"{codec}.parquet").exists():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            (scratch / "music").mkdir()
            write_wav(scratch / "music" / "a.wav")
            (scratch / "p.yaml").write_text(PIPELINE.replace("CODEC", codec))
            subprocess.run([etude, "run", "p.yaml"], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
            shards = sorted((scratch / ".etude" / "data").rglob("*.parquet"))
            shutil.copy(shards[0], shard_reader / f"{codec}.parquet")


if __name__ == "__main__":
    main()
