#!/usr/bin/env python3
"""Étude and its peers over the same recordings, in turns, and what each takes.

Prints Markdown tables and keeps everything in results.json of the working folder. `make bench`
builds and fetches what this needs; options go through: make bench BENCH="--repeat 5".
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

import contenders
import corpus
import cores
import machine
import memory
import report

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
SECTIONS = [*corpus.FORMATS, "mixed", "memory", "claims", "cores"]
# Recordings of a corpus of which one clip is compared sample by sample.
EXAMINED = 5
# Two resamplers that both deserve the name differ near the new Nyquist frequency and nowhere else.
AGREE_DB = -20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for corpora, results and scratch")
    parser.add_argument("--etude", type=pathlib.Path, help="the program that is measured")
    parser.add_argument("--music", type=pathlib.Path, help="folder of recordings to choose from")
    parser.add_argument("--python", type=pathlib.Path, help="folder with the packages of requirements.txt")
    parser.add_argument("--threads", type=int, default=2, help="threads of Étude, processes of a peer (2)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, the best of which counts (3)")
    parser.add_argument("--hours", type=float, default=1, help="audio in each format (1)")
    parser.add_argument("--mixed-hours", type=float, default=2, help="audio in the mixed corpus (2)")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas: %(default)s")
    parser.add_argument("--contenders", default="", help="only those whose names contain one of these, separated by commas")
    parser.add_argument("--report", action="store_true", help="measure nothing, print the last results")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into docs/performance.md as well")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    if unknown := set(chosen.only) - set(SECTIONS):
        parser.error(f"--only: no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if not chosen.report and not (chosen.etude and chosen.music and chosen.python):
        parser.error("--etude, --music and --python are needed")
    return chosen


def selected(chosen):
    """The contenders of this run."""
    torchcodec = (chosen.python / "torchcodec").is_dir()
    found = contenders.contenders(machine.ffmpeg_has_soxr(), torchcodec)
    names = [name.strip() for name in chosen.contenders.split(",") if name.strip()]
    return [contender for contender in found if not names or any(name in contender.key for name in names)]


def examined(items):
    """Some items, spread evenly."""
    count = min(EXAMINED, len(items))
    return [items[number * (len(items) - 1) // max(1, count - 1)][0] for number in range(count)]


def agreement(setting, folder, outputs):
    items = corpus.items(folder)
    question = {"recordings": [[item, str(path)] for item, path in items], "examined": examined(items),
                "outputs": outputs, "soxr": machine.ffmpeg_has_soxr()}
    done = subprocess.run([sys.executable, HERE / "peers" / "agree.py"], input=json.dumps(question), text=True,
                          capture_output=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(setting.python_path), "OPENBLAS_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"the outputs could not be compared:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def compare(setting, name, folder, competitors, repeat):
    """One corpus: all contenders in turns, then whether their outputs agree."""
    corpus.warm(folder)
    section = {"hours": corpus.hours(folder), "recordings": len(corpus.items(folder)),
               "contenders": {contender.key: {} for contender in competitors}}
    able = [contender for contender in competitors if name not in contender.cannot]
    for turn in range(repeat):
        # Whoever comes first meets another state of the machine: let each be first in its turn.
        for contender in able[turn % len(able):] + able[:turn % len(able)]:
            entry = section["contenders"][contender.key]
            result = contender.run(setting, folder)
            if result["code"]:
                raise SystemExit(f"{name}, {contender.key} ended with {result['code']}:\n{result['stderr']}")
            entry["failed"], entry["command"] = result.pop("failed"), result.pop("command", None)
            entry["out"] = result.pop("out")
            entry.setdefault("runs", []).append(result)
    outputs = {}
    for contender in able:
        entry = section["contenders"][contender.key]
        if contender.codec:
            entry["stored"] = contenders.stored(entry["out"])
            outputs[contender.key] = {"kind": "segments" if contender.kind == "segments" else "parquet",
                                      "out": entry["out"]}
    if outputs:
        section["agreement"] = agreement(setting, folder, outputs)
    for contender in able:
        shutil.rmtree(section["contenders"][contender.key].pop("out"))
    for contender, found in section.get("agreement", {}).items():
        if found["off"] or found["difference_db"] > AGREE_DB:
            print(f"  {name}: {contender} differs: {len(found['off'])} recordings by more than one clip "
                  f"{found['off'][:3]}, {found['difference_db']:.0f} dB", flush=True)
    print(f"  {name}: " + ", ".join(f"{contender} {wall / section['hours']:.2f}"
                                    for contender, wall in report.walls(section).items()) + " s an hour", flush=True)
    return section


def main():
    chosen = arguments()
    chosen.work.mkdir(parents=True, exist_ok=True)
    work = chosen.work.resolve()
    kept = work / "results.json"
    if chosen.report:
        if not kept.is_file():
            sys.exit(f"{work} has no results yet")
        results = json.loads(kept.read_text())
    else:
        results = measure(chosen, work, kept)
    print()
    content = report.text(results)
    print(content)
    if chosen.update_docs:
        report.update(PAGE, content)


def command_of(chosen):
    """How the run was asked for, without this machine's folders."""
    options = [f"--repeat {chosen.repeat}"] * (chosen.repeat != 3) + [f"--hours {chosen.hours:g}"] * (chosen.hours != 1)
    options += [f"--mixed-hours {chosen.mixed_hours:g}"] * (chosen.mixed_hours != 2)
    options += [f"--threads {chosen.threads}"] * (chosen.threads != 2)
    options += [f"--only {','.join(chosen.only)}"] * (chosen.only != SECTIONS)
    options += [f"--contenders '{chosen.contenders}'"] * bool(chosen.contenders)
    all_peers = " PEERS=all" if (chosen.python / "torchcodec").is_dir() else ""
    return f"make bench{all_peers}" + (f' BENCH="{" ".join(options)}"' if options else "")


def measure(chosen, work, kept):
    """Everything that was asked for; `kept` has what is done so far at any time."""
    for tool in ("ffmpeg", "ffprobe", "xargs"):
        if shutil.which(tool) is None:
            sys.exit(f"make bench compares with ffmpeg: {tool} is not on this machine")
    etude, competitors = chosen.etude.resolve(), selected(chosen)
    if not etude.is_file():
        if any(contender.kind == "etude" for contender in competitors) or {"memory", "claims", "cores"} & {*chosen.only}:
            sys.exit(f"{etude} is not there: build it first")
    pinned = machine.pin(chosen.threads)
    packages = ["numpy", "soundfile", "soxr", "pyarrow"]
    if (chosen.python / "torchcodec").is_dir():
        packages += ["torch", "torchcodec"]
    on = {**machine.describe(etude, chosen.python.resolve(), packages), "pinned": pinned}
    results = {
        "date": datetime.date.today().isoformat(), "command": command_of(chosen), "repeat": chosen.repeat,
        "threads": chosen.threads, "machine": on,
        "sections": {},
    }
    if results["machine"]["load"] > 0.5:
        print(f"the machine is not idle (load {results['machine']['load']:.1f}): the figures will be too high", flush=True)
    keep = lambda: kept.write_text(json.dumps(results, indent=1, ensure_ascii=False))
    setting = contenders.Setting(etude, chosen.python.resolve(), work / "scratch", chosen.threads)
    music = chosen.music.resolve()
    folders = corpus.formats(music, work, chosen.hours, chosen.threads)
    folders["mixed"] = corpus.mixed(music, work, chosen.mixed_hours)
    for name, folder in folders.items():
        if name in chosen.only:
            results["sections"][name] = compare(setting, name, folder, competitors, chosen.repeat)
            keep()
    if {"memory", "claims", "cores"} & {*chosen.only}:
        long = corpus.long(folders["wav"], work, chosen.threads)
    if "memory" in chosen.only:
        results["memory"] = memory.lengths(setting, long, chosen.repeat)
        keep()
    if "claims" in chosen.only:
        results["claims"] = memory.claims(setting, work, long["flac", 1])
    if "cores" in chosen.only:
        small = [folders[name] for name in ("ogg", "mp3", "m4a")]
        results["cores"] = cores.measure_cores(setting, work, long["flac", 3], small, chosen.repeat)
    keep()
    shutil.rmtree(setting.scratch, ignore_errors=True)
    return results


if __name__ == "__main__":
    main()
