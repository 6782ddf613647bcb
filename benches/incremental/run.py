#!/usr/bin/env python3
"""What an incremental run costs over many small recordings, beside DVC and Snakemake.

Prints Markdown tables and keeps everything in results.json of the working folder. The peers are
packages for Python; without them étude is measured alone:
python3 -m pip install --target FOLDER --requirement requirements.txt
"""
import argparse
import datetime
import importlib.util
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
# What is shared with the other benchmark.
sys.path.append(str(HERE.parent))

import machine  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import tables  # noqa: E402
from engine import Etude  # noqa: E402
from steps import measure_steps  # noqa: E402
from tree import Tree  # noqa: E402

PEERS = {"dvc": peers.Dvc, "snakemake": peers.Snakemake}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etude", type=pathlib.Path, required=True, help="the program that is measured")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the files, stores and results")
    parser.add_argument("--items", type=int, default=100_000, help="files (100000); a tenth is measured as well")
    parser.add_argument("--peer-items", type=int, default=20_000, help="files beside the peers (20000)")
    parser.add_argument("--python", type=pathlib.Path, help="folder with the packages of requirements.txt")
    parser.add_argument("--threads", type=int, default=2, help="threads of Étude, jobs of Snakemake at once (2)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, the best of which counts (3)")
    parser.add_argument("--update-docs", type=pathlib.Path, metavar="PAGE", help="write the tables into PAGE as well")
    chosen = parser.parse_args()
    if min(chosen.items // 10, chosen.peer_items) < 4 * chosen.repeat:
        parser.error("too few files for so many runs")
    # Better now than after ten minutes.
    if not chosen.etude.is_file():
        parser.error(f"{chosen.etude} is not a program")
    if page := chosen.update_docs:
        if not page.is_file() or not all(mark in page.read_text() for mark in (report.BEGIN, report.END)):
            parser.error(f"{page} has no lines {report.BEGIN} and {report.END}")
    for name in ("etude", "work", "python"):
        if path := getattr(chosen, name):
            setattr(chosen, name, path.resolve())
    return chosen


def installed(name, packages):
    return (packages / name).is_dir() if packages else importlib.util.find_spec(name) is not None


def main():
    chosen = arguments()
    chosen.work.mkdir(parents=True, exist_ok=True)
    pinned = machine.pin(chosen.threads)
    found = [name for name in PEERS if installed(name, chosen.python)]
    if missing := [name for name in PEERS if name not in found]:
        print(f"not installed and left out: {', '.join(missing)}", flush=True)
    described = machine.describe(chosen.etude, chosen.python, found)
    described["versions"].pop("ffmpeg", None)
    described["pinned"] = pinned

    def etude(items, name):
        return Etude(chosen.etude, Tree(chosen.work / f"tree-{items}", items), chosen.work / name, chosen.threads)

    scale = []
    for items in (chosen.items // 10, chosen.items):
        print(f"étude over {items} files", flush=True)
        scale.append(measure_steps(etude(items, "store"), chosen.repeat))
    compared = None
    if found:
        print(f"étude, {', '.join(found)} over {chosen.peer_items} files", flush=True)
        ours = etude(chosen.peer_items, "store")
        competitors = [PEERS[name](chosen.work / name, ours.tree, chosen.python, chosen.threads) for name in found]
        compared = peers.compare([peers.EtudePeer(ours), *competitors], ours.tree, chosen.repeat)
    results = {
        "command": f"benches/incremental/run.py --items {chosen.items} --peer-items {chosen.peer_items} "
                   f"--repeat {chosen.repeat}",
        "date": datetime.date.today().isoformat(), "repeat": chosen.repeat, "threads": chosen.threads,
        "machine": described, "scale": scale, "peers": compared,
    }
    (chosen.work / "results.json").write_text(json.dumps(results, indent=1))
    text = tables.text(results)
    print(text)
    if chosen.update_docs:
        report.update(chosen.update_docs, text)


if __name__ == "__main__":
    main()
