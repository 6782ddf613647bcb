"""Trees of small WAV files: made once, changed while measuring, put back afterwards."""
import os
import pathlib
import random
import shutil
import struct

FRAMES, RATE = 800, 8000
PER_FOLDER = 1000
# Changes when the files become others, so that older trees are made again.
VERSION = 1
HEADER = (b"RIFF" + struct.pack("<I", 36 + 2 * FRAMES) + b"WAVEfmt "
          + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data" + struct.pack("<I", 2 * FRAMES))


def content(what):
    """A file of noise, another for each `what`."""
    return HEADER + random.Random(what).randbytes(2 * FRAMES)


class Tree:
    """A folder of `items` files. Within `with`, it may be changed; what is changed is undone at the end."""

    def __init__(self, folder: pathlib.Path, items):
        self.folder, self.items = folder, items
        self._seal = folder.parent / f"{folder.name}.complete"
        self._changed, self._added = set(), []

    def name(self, index):
        return f"{index // PER_FOLDER:05}/{index:08}.wav"

    def path(self, index):
        return self.folder / self.name(index)

    def make(self):
        """Unless it is there already."""
        seal = f"{VERSION} {self.items}"
        if self._seal.is_file() and self._seal.read_text() == seal:
            return
        print(f"making {self.items} files in {self.folder.name}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        for index in range(self.items):
            path = self.path(index)
            if index % PER_FOLDER == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(content(index))
        self._seal.write_text(seal)

    def __enter__(self):
        self.make()
        # A tree that was left changed, because something ended the benchmark, is not taken for complete.
        self._seal.unlink()
        return self

    def __exit__(self, *_):
        for path in self._added:
            path.unlink()
        for index in self._changed:
            self.path(index).write_bytes(content(index))
        self._changed, self._added = set(), []
        self._seal.write_text(f"{VERSION} {self.items}")

    def edit(self, turn):
        """Another content, of the same size; gives the item's key."""
        index = self.items // 2 + turn
        self._changed.add(index)
        self.path(index).write_bytes(content(f"{index}, turn {turn}"))
        return self.name(index)

    def add(self, turn):
        path = self.folder / "00000" / f"added-{turn}.wav"
        self._added.append(path)
        path.write_bytes(content(f"added in turn {turn}"))

    def remove(self, turn):
        index = self.items - 1 - turn
        self._changed.add(index)
        self.path(index).unlink()

    def touch(self):
        """All look changed and none is."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                os.utime(os.path.join(folder, name))
