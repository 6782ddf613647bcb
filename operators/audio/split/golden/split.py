"""Writes split.json: how evenly scikit-learn's StratifiedGroupKFold divides groups.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python split.py > split.json

For each set of groups: how many items of each class a group has; and, as means over ten shuffles, the largest
deviation of a fold's share of the items from 1/5, and the deviation of the folds' shares of a class, as a mean over classes.
"""

import json
import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

FOLDS = 5


def counts(groups, classes):
    found = np.zeros((groups.max() + 1, classes.max() + 1), int)
    np.add.at(found, (groups, classes), 1)
    return found


def sets(random):
    groups = np.arange(400)
    yield "items", groups, random.integers(0, 8, 400)
    size = random.integers(1, 100, 25)
    yield "few groups", np.repeat(np.arange(25), size), random.integers(0, 4, size.sum())
    size = random.integers(1, 30, 100)
    yield "groups of mixed classes", np.repeat(np.arange(100), size), random.integers(0, 6, size.sum())
    size, genre = random.integers(1, 40, 60), random.integers(0, 5, 60)
    groups = np.repeat(np.arange(60), size)
    yield "groups of one class", groups, genre[groups]
    size, genre = np.minimum(random.zipf(1.5, 150), 60), np.minimum(random.zipf(1.6, 150), 8) - 1
    groups = np.repeat(np.arange(150), size)
    other = random.integers(0, 8, len(groups))
    yield "artists", groups, np.where(random.random(len(groups)) < 0.8, genre[groups], other)


def balance(groups, classes):
    sizes, strata = [], []
    for shuffle in range(10):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=shuffle)
        of = np.zeros(len(groups), int)
        for fold, (_, test) in enumerate(folds.split(groups, classes, groups)):
            of[test] = fold
        shares = lambda items: np.array([(items == fold).mean() for fold in range(FOLDS)])
        sizes.append(np.abs(shares(of) - 1 / FOLDS).max())
        strata.append(np.mean([shares(of[classes == name]).std() for name in np.unique(classes)]))
    return np.mean(sizes), np.mean(strata)


warnings.filterwarnings("ignore")
cases = []
for name, groups, classes in sets(np.random.default_rng(5)):
    sizes, strata = balance(groups, classes)
    case = {"name": name, "groups": counts(groups, classes).tolist()}
    cases.append(case | {"sizes": round(float(sizes), 6), "strata": round(float(strata), 6)})
print(json.dumps({"folds": FOLDS, "cases": cases}, separators=(",", ":")))
