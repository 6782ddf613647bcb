#!/usr/bin/env python3
"""Write MIDI files to render: scales, arpeggios and chords of many programs, keys and tempos, with labels.

usage: make-midi.py FOLDER [FILES] [SEED]

writes FOLDER/NAME.mid (200 of them unless FILES says otherwise, 8 bars of 4 beats each) and FOLDER/labels.csv with item,
kind, key, mode, program, family, tempo. `key` is the tonic, 0 (C) to 11, `mode` major or minor, `program` a number of
General MIDI and `family` the eight that it belongs to, `tempo` beats a minute. A third of the files have drums. The same
FILES and SEED give the same files.
"""
import csv
import pathlib
import random
import struct
import sys

FAMILIES = ("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
            "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects")
# Sounds of a pitch: the last two families are noises and drums.
PITCHED = range(112)
NAMES = ("c", "c#", "d", "eb", "e", "f", "f#", "g", "ab", "a", "bb", "b")
MODES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# Roots as degrees of the scale, a bar each.
PROGRESSIONS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (1, 4, 0, 5))
TICKS, BEATS, BARS, DRUMS = 480, 4, 8, 9
KICK, SNARE, HAT = 36, 38, 42


def number(value):
    """A number in groups of 7 bits, all but the last one marked."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.insert(0, value & 0x7F | 0x80)
    return bytes(groups)


def track(events):
    """A chunk from (tick, bytes) in any order; at a tick what ends comes before what begins."""
    content, last = b"", 0
    for tick, event in sorted(events, key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90)):
        content += number(tick - last) + event
        last = tick
    content += number(max(0, BARS * BEATS * TICKS - last)) + b"\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(content)) + content


def file(tracks):
    return b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS) + b"".join(tracks)


def note(channel, tick, length, pitch, velocity):
    return [(tick, bytes((0x90 | channel, pitch, velocity))), (tick + length, bytes((0x80 | channel, pitch, 0)))]


def pitch(tonic, mode, degree):
    """A degree of a scale, however far up or down."""
    return tonic + 12 * (degree // 7) + MODES[mode][degree % 7]


def melody(draw, kind, tonic, mode):
    """(tick, length, pitches) of a piece."""
    progression = draw.choice(PROGRESSIONS)
    if kind == "scale":
        half = TICKS // 2
        for step in range(BARS * BEATS * 2):
            # Up and down two octaves.
            degree = min(step % 28, 28 - step % 28)
            yield step * half, half * 9 // 10, [pitch(tonic, mode, degree)]
    elif kind == "arpeggio":
        half = TICKS // 2
        for step in range(BARS * BEATS * 2):
            root = progression[step // (BEATS * 2) % len(progression)]
            yield step * half, half * 9 // 10, [pitch(tonic, mode, root + (0, 2, 4, 7)[step % 4])]
    else:
        for bar in range(BARS):
            root = progression[bar % len(progression)]
            chord = [pitch(tonic, mode, root + third) for third in (0, 2, 4)]
            for beat in draw.choice(((0,), (0, 2), (0, 1, 2, 3))):
                yield (bar * BEATS + beat) * TICKS, TICKS * 9 // 10, chord


def drums():
    for beat in range(BARS * BEATS):
        tick = beat * TICKS
        yield from note(DRUMS, tick, TICKS // 4, SNARE if beat % 2 else KICK, 100)
        for half in (0, TICKS // 2):
            yield from note(DRUMS, tick + half, TICKS // 4, HAT, 70)


def piece(draw, index):
    """The bytes of a file and its labels."""
    kind = draw.choice(("scale", "arpeggio", "chords"))
    key, mode, program = draw.randrange(12), draw.choice(tuple(MODES)), draw.choice(PITCHED)
    tempo = draw.randrange(60, 181)
    # The octave that a bass has its range in is lower than that of others.
    tonic = key + (36 if FAMILIES[program // 8] == "bass" else 48)
    beat = struct.pack(">I", round(60e6 / tempo))[1:]
    tracks = [track([(0, b"\xff\x51\x03" + beat)])]
    events = [(0, bytes((0xC0, program)))]
    for tick, length, pitches in melody(draw, kind, tonic, mode):
        velocity = draw.randrange(60, 116)
        for one in pitches:
            events += note(0, tick, length, one, velocity)
    tracks.append(track(events))
    if index % 3 == 0:
        tracks.append(track(list(drums())))
    name = f"{index:05d}_{kind}_{NAMES[key].replace('#', 's')}_{mode}_{program:03d}.mid"
    return file(tracks), (name, kind, key, mode, program, FAMILIES[program // 8], tempo)


def main():
    if not 2 <= len(sys.argv) <= 4 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    files, seed = (int(given) for given in (sys.argv[2:] + ["200", "0"][len(sys.argv) - 2:]))
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} holds files already: name an empty or a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    draw, rows = random.Random(seed), []
    for index in range(files):
        content, labels = piece(draw, index)
        (folder / labels[0]).write_bytes(content)
        rows.append(labels)
    with (folder / "labels.csv").open("w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("item", "kind", "key", "mode", "program", "family", "tempo"))
        writer.writerows(rows)


if __name__ == "__main__":
    main()
