#!/usr/bin/env python3
"""Fetch a General MIDI SoundFont.

usage: fetch-soundfont.py FOLDER FONT

writes FOLDER/FONT.sf2 and FOLDER/FONT.licence.txt. FONT is one of

  FluidR3_GM   MIT, 142 MB: of a Debian package, a download of 120 MB; needs apt-get and dpkg, but not root
  TimGM6mb     GPL-2, 6 MB: of the Python package pretty_midi; what the tests play with

A font that is there is left alone.
"""
import hashlib
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

DEBIAN = "fluid-soundfont-gm"
WHEEL = "pretty_midi==0.2.11.post0"
SHA256 = {
    "FluidR3_GM": "74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0",
    "TimGM6mb": "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1",
}
TERMS = f"TimGM6mb.sf2: GPL-2, by Tim Brechbill and David Bolton; from the Python package {WHEEL}\n"


def from_debian(scratch):
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            sys.exit(f"the font comes from a Debian package and {tool} is not on this machine")
    spec = importlib.util.spec_from_file_location("music", pathlib.Path(__file__).with_name("fetch-music.py"))
    music = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(music)
    tree = music.unpack([DEBIAN], scratch)
    return tree / "usr/share/sounds/sf2/FluidR3_GM.sf2", (tree / f"usr/share/doc/{DEBIAN}/copyright").read_text()


def from_pip(scratch):
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                    "--dest", str(scratch), WHEEL], check=True, stdout=sys.stderr)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        return pathlib.Path(wheel.extract("pretty_midi/TimGM6mb.sf2", scratch)), TERMS


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in SHA256:
        sys.exit(__doc__)
    folder, name = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    font = folder / f"{name}.sf2"
    if font.is_file() and digest(font) == SHA256[name]:
        return
    if font.exists():
        sys.exit(f"{font} is another file: remove it, or name a new folder")
    print(f"fetching {name}.sf2 into {folder}", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".soundfont-") as scratch:
        try:
            path, terms = (from_debian if name == "FluidR3_GM" else from_pip)(pathlib.Path(scratch))
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error.cmd[0]} failed, nothing was changed: try again")
        if digest(path) != SHA256[name]:
            sys.exit(f"{path.name} is not the one expected, nothing was changed")
        (folder / f"{name}.licence.txt").write_text(terms)
        path.rename(font)


if __name__ == "__main__":
    main()
