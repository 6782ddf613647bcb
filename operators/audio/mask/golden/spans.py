"""Makes spans.json: how much fairseq masks, and how long the runs of masked frames are, by its own function.

fairseq is not installed, which takes much: its function is read out of the archive that pip downloads, and needs NumPy alone.

    pip download fairseq==0.12.2 --no-deps --no-binary :all: || true   # the archive stays, whatever building it says
    pip install numpy && python3 spans.py fairseq-0.12.2.tar.gz > spans.json
"""
import ast
import json
import sys
import tarfile
import typing

import numpy

CLIPS = 4000
# frames, p, length, least; fairseq's mask_prob is p · length.
SETTINGS = [(750, 0.065, 10, 2), (499, 0.065, 10, 2), (100, 0.05, 4, 2), (200, 0.001, 10, 9)]


def function(archive):
    """compute_mask_indices, and nothing beside it."""
    with tarfile.open(archive) as files:
        source = files.extractfile("fairseq-0.12.2/fairseq/data/data_utils.py").read().decode()
    found = [node for node in ast.parse(source).body
             if isinstance(node, ast.FunctionDef) and node.name == "compute_mask_indices"]
    names = {"np": numpy, "Optional": typing.Optional, "Tuple": typing.Tuple,
             "torch": type("torch", (), {"Tensor": object})}
    exec(compile(ast.Module(found, []), archive, "exec"), names)
    return names["compute_mask_indices"]


def runs(mask):
    """Lengths of the runs of masked frames."""
    edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], mask.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def main():
    compute = function(sys.argv[1])
    numpy.random.seed(1)
    rows = []
    for frames, p, length, least in SETTINGS:
        # One at a time: of a batch, fairseq masks as much of each clip as of that which has least.
        masks = [compute((1, frames), None, p * length, length, min_masks=least)[0] for _ in range(CLIPS)]
        lengths = numpy.concatenate([runs(mask) for mask in masks])
        rows.append({"frames": frames, "p": p, "length": length, "least": least,
                     "share": round(float(numpy.mean(masks)), 4), "run": round(float(lengths.mean()), 2)})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
