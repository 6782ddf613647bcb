#!/usr/bin/env python3
"""Fetch recorded notes with labels: the samples of the General MIDI soundfont Fluid (MIT), a download of 120 MB.

usage: fetch-notes.py FOLDER

writes FOLDER/NAME.wav (16-bit mono at the sample's own rate, its first 3 seconds) and FOLDER/labels.csv with item,
family, pitch, group. `family` is the General MIDI family of the presets that use the sample, `pitch` the MIDI number
of its key, `group` what is never to be split between training and test: samples of one instrument. Samples that
several families use are left out. Needs apt-get and dpkg, but not root. A folder that is complete is left alone.
"""
import array
import collections
import csv
import hashlib
import importlib.util
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import wave

PACKAGE, FONT = "fluid-soundfont-gm", "usr/share/sounds/sf2/FluidR3_GM.sf2"
SECONDS, SHORTEST, SILENT = 3, 2048, 33
FAMILIES = ("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
            "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects")
# Generators of the SoundFont 2 format: what a zone plays.
INSTRUMENT, SAMPLE = 41, 53


def chunks(data):
    """The chunks of a RIFF list: name -> content."""
    found, at = {}, 0
    while at + 8 <= len(data):
        name, size = data[at:at + 4].decode("ascii"), struct.unpack_from("<I", data, at + 4)[0]
        content = data[at + 8:at + 8 + size]
        found[content[:4].decode("ascii") if name == "LIST" else name] = content[4:] if name == "LIST" else content
        at += 8 + size + size % 2
    return found


def text(raw):
    return raw.split(b"\0")[0].decode("latin-1").strip()


def zones(bags, generators, first, last):
    """The generators of a range of zones."""
    for bag in range(first, last):
        yield from generators[bags[bag][0]:bags[bag + 1][0]]


def samples(font):
    """(name, families, pcm, rate, pitch) of each sample, in the order of the font."""
    sections = chunks(memoryview(font).tobytes()[12:])
    table = {name: list(struct.iter_unpack(layout, chunks(sections["pdta"])[name])) for name, layout in {
        "phdr": "<20sHHHIII", "pbag": "<HH", "pgen": "<HH", "inst": "<20sH", "ibag": "<HH", "igen": "<HH",
        "shdr": "<20sIIIIIBbHH"}.items()}
    pcm = array.array("h", chunks(sections["sdta"])["smpl"])
    presets = collections.defaultdict(set)
    for this, following in zip(table["phdr"], table["phdr"][1:]):
        if this[2] != 0:
            continue
        for kind, instrument in zones(table["pbag"], table["pgen"], this[3], following[3]):
            if kind != INSTRUMENT:
                continue
            first, last = table["inst"][instrument][1], table["inst"][instrument + 1][1]
            for kind, sample in zones(table["ibag"], table["igen"], first, last):
                if kind == SAMPLE:
                    presets[text(table["shdr"][sample][0])].add(this[1])
    for index, (raw, begin, end, _, _, rate, pitch, *_) in enumerate(table["shdr"][:-1]):
        name = text(raw)
        yield index, name, {preset // 8 for preset in presets[name]}, pcm[begin:end], rate, pitch


def write(font, folder):
    """Writes the notes and their labels; gives the number of notes."""
    rows = []
    for index, name, families, pcm, rate, pitch in samples(font):
        if len(families) != 1 or len(pcm) < SHORTEST or max(map(abs, pcm)) < SILENT:
            continue
        item = f"{index:04d}_{re.sub(r'[^A-Za-z0-9]+', '_', name)}.wav"
        with wave.open(str(folder / item), "wb") as note:
            note.setnchannels(1)
            note.setsampwidth(2)
            note.setframerate(rate)
            note.writeframes(pcm[:rate * SECONDS].tobytes())
        group = re.sub(r"[^a-z]", "", name.lower())[:6]
        rows.append((item, FAMILIES[families.pop()], pitch, group))
    with (folder / "labels.csv").open("w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("item", "family", "pitch", "group"))
        writer.writerows(rows)
    return len(rows)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    if (folder / "labels.csv").is_file():
        return
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            sys.exit(f"the notes come from a Debian package and {tool} is not on this machine")
    spec = importlib.util.spec_from_file_location("music", pathlib.Path(__file__).with_name("fetch-music.py"))
    music = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(music)
    print(f"fetching recorded notes into {folder}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".notes-") as scratch:
        scratch = pathlib.Path(scratch)
        new = scratch / "new"
        new.mkdir()
        try:
            tree = music.unpack([PACKAGE], scratch)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error.cmd[0]} failed, nothing was changed: try again")
        count = write((tree / FONT).read_bytes(), new)
        shutil.copyfile(tree / f"usr/share/doc/{PACKAGE}/copyright", new / "copyright")
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    print(f"{count} notes, {hashlib.sha256((folder / 'labels.csv').read_bytes()).hexdigest()[:16]}", file=sys.stderr)


if __name__ == "__main__":
    main()
