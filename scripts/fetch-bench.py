#!/usr/bin/env python3
"""Fetch the music of `make bench`: 134 freely licensed recordings, 9.8 hours, 450 MB.

usage: fetch-bench.py FOLDER

They come from four Debian packages and one Python package. Needs apt-get, dpkg and pip, but not
root: the package lists are kept in a temporary folder and nothing is installed. A folder that is
complete is left alone.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

OWN_MUSIC = "measure with music of your own: make bench BENCH_MUSIC=FOLDER"
EXTENSIONS = {".ogg", ".opus", ".mp3"}

# folder -> (Debian package, where it keeps the recordings: a folder or an archive,
#            recordings, digest of their names and contents)
PACKAGES = {
    "wesnoth": ("wesnoth-1.16-music", "usr/share/games/wesnoth/1.16/data/core/music",
                41, "5a85a9c8cbfd42921237fe79cf4aa2e97dd79ce6312b76006b88316aeb660960"),
    "warzone2100": ("warzone2100-music", "usr/share/games/warzone2100/music",
                    30, "e215817ee93516fb752a6749af196f6eba530afcacd6c70236cdc8fb5441d4a0"),
    "nexuiz": ("nexuiz-music", "usr/share/games/nexuiz/data/music.pk3",
               18, "1c93a64cab05d7b7abe1b0be54ada7bd4b5b6a69c350f0194face2cd26f933ad"),
    "singularity": ("singularity-music", "usr/share/games/singularity/music",
                    16, "1297f5bda14bd27dfe669024b6a1898833f0fe05d531cde5fb911b81d6e9d3d8"),
}
# The same of a wheel.
WHEELS = {
    "pokete": ("pokete==0.10.0rc4", "pokete/assets/music",
               29, "7aabe8e791f0393155f643656284f1c4447aa600db404bd438cee8669a17fefa"),
}
SOURCES = PACKAGES | WHEELS


def recordings(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)


def digest(folder):
    """Of the names and contents of the recordings below a folder."""
    whole = hashlib.sha256()
    for path in recordings(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return whole.hexdigest()


def wrong(folder):
    """The sources that are missing or differ."""
    return [name for name, (_, _, count, expected) in SOURCES.items()
            if len(recordings(folder / name)) != count or digest(folder / name) != expected]


def foreign(folder):
    """A file that this script did not put there, or None: such a folder is not ours to replace."""
    return next((path for path in folder.rglob("*")
                 if not path.is_dir() and path.relative_to(folder).parts[0] not in (*SOURCES, "LICENCES.txt")), None)


def unpack_packages(scratch):
    """Download the Debian packages and unpack them into one tree, without touching the system's own state."""
    lists, cache, downloads, tree = (scratch / name for name in ("lists", "cache", "downloads", "tree"))
    for path in (lists / "partial", cache / "archives" / "partial", downloads, tree):
        path.mkdir(parents=True)
    apt_get = ["apt-get", "-qq", "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}",
               "-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"]
    subprocess.run([*apt_get, "update"], check=True, stdout=sys.stderr)
    subprocess.run([*apt_get, "download", *(package for package, *_ in PACKAGES.values())],
                   check=True, stdout=sys.stderr, cwd=downloads)
    for path in downloads.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(path), str(tree)], check=True, stdout=sys.stderr)
    return tree


def unpack_archive(archive, folder, below=""):
    """The recordings of a ZIP archive, from `below` on."""
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            path = pathlib.PurePosixPath(member)
            if path.suffix.lower() in EXTENSIONS and member.startswith(below) and ".." not in path.parts:
                target = folder / path.relative_to(below)
                target.parent.mkdir(parents=True, exist_ok=True)
                with members.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)


def arrange(scratch, new):
    """Put the recordings and the licences where FOLDER has them."""
    tree = unpack_packages(scratch)
    lines = []
    for name, (package, place, *_) in PACKAGES.items():
        source, target = tree / place, new / name
        target.mkdir(parents=True)
        if source.is_dir():
            for path in recordings(source):
                (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, target / path.relative_to(source))
        elif source.is_file():
            unpack_archive(source, target)
        if (terms := tree / "usr/share/doc" / package / "copyright").is_file():
            terms.rename(target / "copyright")
        lines.append(f"{name}/: from the Debian package {package}; authors and terms: {name}/copyright\n")
    for name, (requirement, place, *_) in WHEELS.items():
        wheels = scratch / name
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--pre", "--only-binary=:all:",
                        "--dest", str(wheels), requirement], check=True, stdout=sys.stderr)
        (new / name).mkdir(parents=True)
        for wheel in wheels.glob("*.whl"):
            unpack_archive(wheel, new / name, place)
        lines.append(f"{name}/: from the Python package {requirement}, which names authors and terms\n")
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
            sys.exit(f"the music comes from Debian packages and {tool} is not on this machine: {OWN_MUSIC}")
    print(f"fetching {sum(count for _, _, count, _ in SOURCES.values())} recordings into {folder}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".music-") as scratch:
        scratch = pathlib.Path(scratch)
        new = scratch / "new"
        try:
            arrange(scratch, new)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error.cmd[0]} failed, nothing was changed: try again, or {OWN_MUSIC}")
        if names := wrong(new):
            sys.exit(f"{SOURCES[names[0]][0]} does not hold the recordings expected, nothing was changed: {OWN_MUSIC}")
        if folder.exists():
            folder.rename(scratch / "old")
        new.rename(folder)


if __name__ == "__main__":
    main()
