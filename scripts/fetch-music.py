#!/usr/bin/env python3
"""Fetch the demo's music: 16 freely licensed recordings from three Debian packages, 59 MB.

usage: fetch-music.py FOLDER

Needs apt-get and dpkg, but not root: the package lists are kept in a temporary folder and nothing
is installed. A folder that is complete is left alone.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

OWN_MUSIC = "point the pipeline at music of your own with --set music=FOLDER"

# folder -> (package, licence, where the package keeps the recordings, {recording: sha256})
PACKAGES = {
    "fretsonfire": ("fretsonfire-songs-sectoid", "MIT-style", "usr/share/games/fretsonfire/data/songs/sectoid", {
        "Escape from chaosland/guitar.ogg": "75217e958dd7994e9e1548652161ab9e58316a1e67ed40d5d4a96ffd0e14e299",
        "Escape from chaosland/song.ogg": "f6da011002059676d5bceddc0a135c2a1bfc6ad629ba1c052f8db440c044c710",
        "Feelings/guitar.ogg": "77089d9bfa71890a9b731d22512a0388914b17295992c3f3a1534dcf60a6894a",
        "Feelings/song.ogg": "8f3b11be42b4caf1b277c62a46436f015a0bcc559ca53871899ada23c6837bf5",
        "Metal madness/guitar.ogg": "e991caf357b3dfe19994682bfc3d1ed7c17d4de072c1f865dd6ccd719c0bccd7",
        "Metal madness/song.ogg": "22d096855d628c1f892dd1770573f6de8bd5150c6db63f86c8c15386f9d4b4e6",
        "War of freedom/guitar.ogg": "422f98a0309e8a44fe98253911b0a2f7a6677e386434160af1708f23f9d3f645",
        "War of freedom/song.ogg": "b44e3c119d36cac6713940ff04e750c009b7c3636920414d9be72eeb0407d039",
    }),
    "asc": ("asc-music", "GPL-2+", "usr/share/games/asc/music", {
        "frontiers.mp3": "a0b1f65897eb122c1748ba08d5a376029750a1b035bf0202ebbeb9fd0176fd28",
        "machine_wars.mp3": "e7b0337656a1dd9c4809bb9a620a015c1bc3898d7dde6ba2e2a0e7c0ce12313b",
        "time_to_strike.mp3": "a330211d1a8ce1ab6ea19cc4a02e207a8cd4cede4f3946f9a0012c7d0523de54",
    }),
    "asterisk": ("asterisk-moh-opsound-wav", "CC-BY-SA-3.0", "usr/share/asterisk/moh", {
        "macroform-cold_day.wav": "716048b9913498c5416ed2df0d28b562b5c8017c07a030e19bb119b96d905b92",
        "macroform-robot_dity.wav": "018064be59d8830d495c948231aefa286369eaff9a289a112af09acf94b57445",
        "macroform-the_simplicity.wav": "ce642e2f083a9d2df94b252476f6a339c93a59882838fce5d4dd6afbdcf2cef9",
        "manolo_camp-morning_coffee.wav": "43540271262ebb37f5a760dea62686cc30dc379d85757a83f79b8bc0dce8bedb",
        "reno_project-system.wav": "6eab497384d54844e064125625ae6e147973de6a4b1e58fad87cf5aa095fbf92",
    }),
}
RECORDINGS = {f"{folder}/{name}": sha256
              for folder, (*_, names) in PACKAGES.items() for name, sha256 in names.items()}
LICENCES = ["LICENCES.txt", *(f"{folder}/copyright" for folder in PACKAGES)]


def wrong(folder):
    """The files that are missing or differ."""
    def differs(name, sha256):
        with (folder / name).open("rb") as handle:
            return hashlib.sha256(handle.read()).hexdigest() != sha256
    return [name for name in LICENCES if not (folder / name).is_file()] + [
        name for name, sha256 in RECORDINGS.items()
        if not (folder / name).is_file() or differs(name, sha256)]


def foreign(folder):
    """A file that this script did not put there, or None: such a folder is not ours to replace."""
    ours = {*RECORDINGS, *LICENCES}
    return next((path for path in folder.rglob("*")
                 if not path.is_dir() and path.relative_to(folder).as_posix() not in ours), None)


def unpack(packages, scratch):
    """Download the packages and unpack them into one tree, without touching the system's own state."""
    lists, cache, downloads, tree = (scratch / name for name in ("lists", "cache", "downloads", "tree"))
    for path in (lists / "partial", cache / "archives" / "partial", downloads, tree):
        path.mkdir(parents=True)
    apt_get = ["apt-get", "-qq", "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}",
               "-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"]
    subprocess.run([*apt_get, "update"], check=True, stdout=sys.stderr)
    subprocess.run([*apt_get, "download", *packages], check=True, stdout=sys.stderr, cwd=downloads)
    for path in downloads.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(path), str(tree)], check=True, stdout=sys.stderr)
    return tree


def arrange(tree, new):
    """Move the recordings and the licences from the packages' tree to where FOLDER has them."""
    lines = []
    for folder, (package, licence, source, names) in PACKAGES.items():
        moves = {f"{source}/{name}": name for name in names}
        moves[f"usr/share/doc/{package}/copyright"] = "copyright"
        for old, name in moves.items():
            (new / folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (tree / old).is_file():
                (tree / old).rename(new / folder / name)
        lines.append(f"{folder}/: {licence}, from the Debian package {package}; authors and terms: {folder}/copyright\n")
    (new / "LICENCES.txt").write_text("".join(lines))


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    if folder.exists():
        if not folder.is_dir():
            sys.exit(f"{folder} is not a folder")
        if not wrong(folder):
            return
        if other := foreign(folder):
            sys.exit(f"{folder} holds files of its own ({other.relative_to(folder)}): name an empty or a new folder")
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            sys.exit(f"the demo's music comes from Debian packages and {tool} is not on this machine: {OWN_MUSIC}")
    print(f"fetching {len(RECORDINGS)} recordings into {folder}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".music-") as scratch:
        scratch = pathlib.Path(scratch)
        new = scratch / "new"
        try:
            arrange(unpack([package for package, *_ in PACKAGES.values()], scratch), new)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error.cmd[0]} failed, nothing was changed: try again, or {OWN_MUSIC}")
        if names := wrong(new):
            sys.exit(f"the packages' {names[0]} is missing or not the one expected, nothing was changed: {OWN_MUSIC}")
        if folder.exists():
            folder.rename(scratch / "old")
        new.rename(folder)


if __name__ == "__main__":
    main()
