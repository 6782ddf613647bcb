#!/usr/bin/env python3
"""Reference figures for folds, fits and scores from scikit-learn.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    venv/bin/python operators/learning/probe/golden/probe.py

writes probe.json beside this file. No vectors are stored: they come from the closed formulas below,
computed in f64 and rounded to f32.

`fold` is StratifiedGroupKFold's without shuffling. `coefficients`, `intercepts` and `probabilities`
(of the first rows) are LogisticRegression's after StandardScaler, both fitted to all items; of two
classes it has one row of coefficients. `scores` are over the predictions for all folds' test items:
of `item`, each item's vector is the mean of its clips' (in f64, then f32); of `clip`, each clip is a
row of its own and an item's class is that of its clips' mean probability.
"""
import json
import pathlib

import numpy
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).parent
FORMULA = (
    "u(n) = 2*frac(|sin(12.9898*n + 1) * 43758.5453|) - 1; class(i) = (i*i + floor(i/3)) mod classes; "
    "group(i) = (5*i + floor(i/7)) mod groups; x[i][c][j] = 3*j + (j + 1) * "
    "(u((i*clips + c)*width + j) + offset * u(100000 + class(i)*width + j)), in f64, then f32"
)
CASES = [
    {"items": 60, "clips": 3, "width": 6, "classes": 4, "groups": 17, "folds": 3, "weight_decay": 1.0, "offset": 0.5},
    {"items": 50, "clips": 2, "width": 5, "classes": 2, "groups": 11, "folds": 5, "weight_decay": 0.1, "offset": 0.3},
    {"items": 90, "clips": 1, "width": 12, "classes": 8, "groups": 90, "folds": 4, "weight_decay": 20.0, "offset": 0.6},
]
# Predictions nearer to each other than this might be others elsewhere.
MARGIN = 1e-4
ROWS = 5


def u(n):
    return 2 * numpy.modf(numpy.abs(numpy.sin(12.9898 * n + 1) * 43758.5453))[0] - 1


def data(case):
    """Clips (items by clips by width, f32), classes and groups."""
    items, clips, width = case["items"], case["clips"], case["width"]
    i = numpy.arange(items)
    classes = (i * i + i // 3) % case["classes"]
    groups = (5 * i + i // 7) % case["groups"]
    j = numpy.arange(width)
    place = (i[:, None, None] * clips + numpy.arange(clips)[None, :, None]) * width + j
    shift = u(100000.0 + classes[:, None] * width + j)[:, None, :]
    vectors = 3 * j + (j + 1) * (u(place.astype(numpy.float64)) + case["offset"] * shift)
    return vectors.astype(numpy.float32), classes, groups


def fit(case, vectors, classes):
    scaler = StandardScaler().fit(vectors)
    model = LogisticRegression(C=1 / case["weight_decay"], solver="lbfgs", tol=1e-10, max_iter=100000)
    model.fit(scaler.transform(vectors), classes)
    return lambda rows: model.predict_proba(scaler.transform(rows)), model


def scores(case, clips, classes, fold):
    """`clips`: items by rows of an item by width."""
    width = case["width"]
    predicted = numpy.zeros_like(classes)
    accuracies = []
    for number in range(case["folds"]):
        train, test = numpy.flatnonzero(fold != number), numpy.flatnonzero(fold == number)
        repeated = numpy.repeat(classes[train], clips.shape[1])
        probabilities, model = fit(case, clips[train].reshape(-1, width), repeated)
        mean = probabilities(clips[test].reshape(-1, width)).reshape(len(test), clips.shape[1], -1).mean(axis=1)
        sorted_ = numpy.sort(mean, axis=1)
        assert (sorted_[:, -1] - sorted_[:, -2]).min() > MARGIN, "too near: choose other data"
        predicted[test] = model.classes_[mean.argmax(axis=1)]
        accuracies.append(accuracy_score(classes[test], predicted[test]))
    return {
        "accuracy": accuracy_score(classes, predicted),
        "balanced_accuracy": balanced_accuracy_score(classes, predicted),
        "macro_f1": f1_score(classes, predicted, average="macro", zero_division=0),
        "deviation": float(numpy.std(accuracies)),
        "majority": numpy.bincount(classes).max() / len(classes),
    }


def figures(case):
    clips, classes, groups = data(case)
    clips = clips.astype(numpy.float64)
    pooled = clips.mean(axis=1).astype(numpy.float32).astype(numpy.float64)
    fold = numpy.zeros_like(classes)
    split = StratifiedGroupKFold(n_splits=case["folds"], shuffle=False).split(pooled, classes, groups)
    for number, (_, test) in enumerate(split):
        fold[test] = number
    probabilities, model = fit(case, pooled, classes)
    return case | {
        "fold": fold.tolist(),
        "coefficients": model.coef_.round(7).tolist(),
        "intercepts": model.intercept_.round(7).tolist(),
        "probabilities": probabilities(pooled[:ROWS]).round(7).tolist(),
        "scores": {
            "item": {name: round(float(value), 7) for name, value in scores(case, pooled[:, None], classes, fold).items()},
            "clip": {name: round(float(value), 7) for name, value in scores(case, clips, classes, fold).items()},
        },
    }


def main():
    text = ",\n".join("    " + json.dumps(figures(case)) for case in CASES)
    (HERE / "probe.json").write_text(f'{{\n  "formula": "{FORMULA}",\n  "cases": [\n{text}\n  ]\n}}\n')


main()
