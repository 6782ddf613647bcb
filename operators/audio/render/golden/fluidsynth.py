"""Makes fluidsynth.json: what FluidSynth 2.3.1 makes of single notes of TimGM6mb.sf2, without reverb and chorus.

    apt-get install fluidsynth && pip install numpy
    python3 ../../../../scripts/fetch-soundfont.py FOLDER TimGM6mb && python3 fluidsynth.py FOLDER/TimGM6mb.sf2 > fluidsynth.json

The file of notes is there in hexadecimal. A note begins every 2 s, lasts 1 s, and is measured from 0.15 to 0.95 s: the
place of its strongest partial above 30 Hz, and its power in dB in third octaves from 50 Hz on (the second from 63 Hz).
"""
import json
import struct
import subprocess
import sys
import tempfile

import numpy as np

RATE = 44_100
PROGRAMS = (0, 6, 11, 16, 19, 24, 30, 33, 40, 56, 60, 65, 68, 73, 79, 80, 104)
PITCHES = (45, 57, 69, 81)
EDGES = 50 * 2 ** (np.arange(25) / 3)


def number(value):
    return bytes((value >> 7 | 0x80, value & 0x7F)) if value > 127 else bytes((value,))


# 120 beats a minute, 500 ticks a beat: a tick is a millisecond.
content = b""
for program in PROGRAMS:
    for pitch in PITCHES:
        strike, release = bytes((0x90, pitch, 100)), bytes((0x80, pitch, 0))
        content += number(0) + bytes((0xC0, program)) + number(0) + strike + number(1000) + release
        content += number(1000) + bytes((0xB0, 1, 0))
content += b"\0\xff\x2f\0"
midi = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 500) + b"MTrk" + struct.pack(">I", len(content)) + content

with tempfile.NamedTemporaryFile(suffix=".mid") as file, tempfile.NamedTemporaryFile() as raw:
    file.write(midi)
    file.flush()
    subprocess.run(["fluidsynth", "-ni", "-q", "-T", "raw", "-O", "float", "-r", str(RATE), "-o",
                    "synth.reverb.active=0", "-o", "synth.chorus.active=0", "-F", raw.name, sys.argv[1], file.name],
                   check=True, stdout=sys.stderr)
    samples = np.fromfile(raw.name, "<f4").reshape(-1, 2).mean(1)

notes = []
for index in range(len(PROGRAMS) * len(PITCHES)):
    part = samples[round((2 * index + 0.15) * RATE):][:round(0.8 * RATE)]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18)) ** 2
    hz = np.arange(len(power)) * RATE / (1 << 18)
    # Some samples have an offset.
    peak = hz[np.where(hz > 30, power, 0).argmax()]
    bands = [power[(low <= hz) & (hz < high)].sum() for low, high in zip(EDGES, EDGES[1:])]
    notes.append({"program": PROGRAMS[index // len(PITCHES)], "pitch": PITCHES[index % len(PITCHES)],
                  "peak": round(float(peak), 3),
                  "bands": [round(float(10 * np.log10(band)), 2) for band in bands]})
print(json.dumps({"midi": midi.hex(), "notes": notes}).replace('}, {', '},\n{'))
