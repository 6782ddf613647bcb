#!/usr/bin/env python3
"""Fetch odd sound files: what the test suites of three audio libraries hold, fuzz findings among it, 2 MB.

usage: fetch-odd.py FOLDER

Needs pip and cargo, but not root. Nothing is installed. A folder that is complete is left alone.
"""
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

# What it is, its version and licence, and where it keeps the files.
MUTAGEN = ("mutagen", "1.48.1", "GPL-2+", "tests/data")
CRATES = [("claxon", "0.4.3", "Apache-2.0", "testsamples"), ("hound", "3.5.1", "Apache-2.0", "testsamples")]
COMPLETE = "LICENCES.txt"


def from_pip(scratch, new):
    """The source distribution has the tests, the wheel has not."""
    name, version, _, files = MUTAGEN
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name,
                    "--dest", scratch, f"{name}=={version}"], check=True, stdout=sys.stderr)
    with tarfile.open(next(scratch.glob(f"{name}-*.tar.gz"))) as archive:
        archive.extractall(scratch / "pip", filter="data")
    shutil.copytree(scratch / "pip" / f"{name}-{version}" / files, new / name)


def from_cargo(scratch, new):
    """Vendored, a crate is as it was published."""
    package = scratch / "vendored"
    (package / "src").mkdir(parents=True)
    (package / "src" / "lib.rs").touch()
    wanted = "".join(f'{name} = "={version}"\n' for name, version, *_ in CRATES)
    (package / "Cargo.toml").write_text(
        f'[package]\nname = "odd"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n{wanted}[workspace]\n')
    subprocess.run(["cargo", "vendor", "--quiet", "vendor"], check=True, cwd=package, stdout=subprocess.DEVNULL)
    for name, _, _, files in CRATES:
        shutil.copytree(package / "vendor" / name / files, new / name)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    if (folder / COMPLETE).is_file():
        return
    if folder.exists():
        sys.exit(f"{folder} is there but not complete: remove it, or name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".odd-") as scratch:
        scratch = pathlib.Path(scratch)
        new = scratch / "new"
        new.mkdir()
        try:
            from_pip(scratch, new)
            from_cargo(scratch, new)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error.cmd[0]} failed, nothing was changed")
        lines = [f"{name}/: {licence}, test files of {name} {version}\n" for name, version, licence, _ in [MUTAGEN, *CRATES]]
        (new / COMPLETE).write_text("".join(lines))
        new.rename(folder)


if __name__ == "__main__":
    main()
