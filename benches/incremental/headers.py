"""The stage that DVC runs: the headers of all recordings below a folder, in one file."""
import os
import sys

source, target = sys.argv[1:]
with open(target, "wb") as out:
    for folder, _, files in os.walk(source):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                out.write(file.read(44))
