#!/usr/bin/env python3
"""Étude and its peers make views of the same clips, in turns: each augmentation, each feature, and the whole CLMR chain.

    make bench-views                                    # options go into BENCH
    make bench-views BENCH="--only gain,cqt --rounds 3"
    make bench-views BENCH="--threads 2"

All get clips that were just written to memory; what writes them, and a first pass, is not timed. Each is a process that
waits while the others work. With --threads 2 Étude and what is built on PyTorch have two threads, the others two processes. Prints Markdown
tables and keeps everything in results.json of the working folder.
"""
import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import sys

import batch
import cases
import libraries
import rows
import step
import tables

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/performance.md"
PACKAGES = ("audiomentations", "torch-audiomentations", "pedalboard", "librosa", "torch", "torchaudio",
            "nnaudio", "numpy")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for clips, results and scratch")
    parser.add_argument("--apply", type=pathlib.Path, help="the example `apply` of etude-audio, built in release")
    parser.add_argument("--music", type=pathlib.Path, help="folder of recordings")
    parser.add_argument("--etude", type=pathlib.Path, help="the program; without it background and impulse are left out")
    parser.add_argument("--trainer", type=pathlib.Path, help="the worker program, to time a step of training")
    parser.add_argument("--clmr-python", type=pathlib.Path, help="folder of the packages of requirements-clmr.txt")
    parser.add_argument("--threads", type=int, default=1, help="threads or processes of each (1)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each, of which the median counts (5)")
    parser.add_argument("--clips", type=int, default=16, help="clips of a pass (16)")
    parser.add_argument("--seconds", type=float, default=10, help="length of a clip (10)")
    parser.add_argument("--rates", default="16000,44100", help="rates, separated by commas: %(default)s")
    parser.add_argument("--only", help="cases, separated by commas, or `augmentation`, `feature`, `chain`, `batch`")
    parser.add_argument("--peers", help="peers, separated by commas; all by default")
    parser.add_argument("--step-seconds", type=float, help="seconds of a training step on two threads")
    parser.add_argument("--step-views", type=int, default=step.VIEWS, help="views of such a step (%(default)s)")
    parser.add_argument("--report", action="store_true", help="measure nothing, print the last results")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into docs/performance.md as well")
    chosen = parser.parse_args()
    if not chosen.report and not (chosen.apply and chosen.music):
        parser.error("--apply and --music are needed")
    known = {case.name for group in cases.every().values() for case in group} | set(cases.every()) | {"batch"}
    peers = set((chosen.peers or "").split(",")) - {""}
    if missing := peers - {rows.CLMR} - {name for name in rows.PEERS if libraries.there(name)}:
        parser.error(f"--peers: {', '.join(sorted(missing))} is not installed; there are {', '.join(rows.PEERS)}")
    if unknown := {name for name in (chosen.only or "").split(",") if name} - known:
        parser.error(f"--only: no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return chosen


def command_of(chosen):
    """How the run was asked for, without this machine's folders."""
    options = [f"--{name} {value}" for name, value, default in (
        ("threads", chosen.threads, 1), ("rounds", chosen.rounds, 5), ("clips", chosen.clips, 16),
        ("seconds", f"{chosen.seconds:g}", "10"), ("rates", chosen.rates, "16000,44100"), ("only", chosen.only, None),
        ("peers", chosen.peers, None)) if value != default]
    everybody = " PEERS=all" if chosen.clmr_python else ""
    return f"make bench-views{everybody}" + (f' BENCH="{" ".join(options)}"' if options else "")


def installed(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def measure(chosen, work):
    kept, field = work / "results.json", rows.Field(chosen)
    if os.getloadavg()[0] > 0.5:
        print(f"the machine is not idle (load {os.getloadavg()[0]:.1f}): the figures will be too high", flush=True)
    versions = {name: version for name in PACKAGES if (version := installed(name))}
    results = {"date": datetime.date.today().isoformat(), "command": command_of(chosen), "rounds": chosen.rounds,
               "threads": chosen.threads, "clips": chosen.clips, "seconds": chosen.seconds, "step": None,
               "machine": {"processor": machine.processor(), "load": os.getloadavg()[0], "versions": versions}}
    measured = rows.every(chosen, work, field)
    if any(row.case.kind == "chain" for row in measured):
        results["step"] = step.of(chosen)
    for row in measured:
        row.compare(work)
    for number in range(chosen.rounds):
        for row in measured:
            row.turn(number)
        results["rows"] = [row.result() for row in measured]
        kept.write_text(json.dumps(results, indent=1, ensure_ascii=False))
        print(f"  round {number + 1} of {chosen.rounds}", flush=True)
    field.close()
    if chosen.trainer and (not chosen.only or "batch" in chosen.only.split(",")):
        results["rows"] = results.get("rows", []) + batch.rows(chosen)
        kept.write_text(json.dumps(results, indent=1, ensure_ascii=False))
    return results


def main():
    chosen = arguments()
    work = chosen.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if chosen.report:
        results = json.loads((work / "results.json").read_text())
    else:
        results = measure(chosen, work)
    content = tables.text(results)
    print("\n" + content)
    if chosen.update_docs:
        tables.update(PAGE, content)


if __name__ == "__main__":
    main()
