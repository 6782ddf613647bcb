"""Whether all cores stay busy: one very long recording among short ones, and a single bucket."""
import pathlib
import shutil

import corpus
from process import measure

# Told for comparison; nothing is promised of it.
ALONE = "the long one alone"
HERE = pathlib.Path(__file__).resolve().parent


def _folder(work, name, files):
    folder = work / "cores" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for new, path in files:
        corpus.link(path, folder / new)
    return folder


def measure_cores(setting, work, long, small, repeat):
    """Each case's best run: wall, CPU, and the share of the threads that was used.

    `long` is a recording of some hours, `small` are folders of short ones that are as long together.
    So two threads can be busy until the end without sharing a recording: one takes the long one.
    """
    short = [(f"{folder.name}-{path.name}", path) for folder in small for _, path in corpus.items(folder)]
    together = _folder(work, "short", short)
    cases = {
        # The names decide whether the long one comes first or last in the order of items.
        "a long one first": (_folder(work, "first", [("0" + long.name, long), *short]), 64),
        "a long one last": (_folder(work, "last", [*short, ("z" + long.name, long)]), 64),
        ALONE: (_folder(work, "alone", [(long.name, long)]), 64),
        "short ones, a single bucket": (together, 65536),
        "short ones, many buckets": (together, 4),
    }
    rows = []
    for name, (folder, megabytes) in cases.items():
        corpus.warm(folder)
        hours = corpus.hours(folder)
        runs = []
        for _ in range(repeat):
            out = setting.scratch / "cores"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            usage = measure([
                setting.etude, "run", HERE / "path.yaml", "--set", f"music={folder}", "--set", "codec=i16",
                "--set", f"megabytes={megabytes}", "--store", out / "store", "--threads", setting.threads,
                "--max-rejects", "100%"])
            if usage.code:
                raise SystemExit(f"étude, {name}: {usage.stderr.strip()[-2000:]}")
            runs.append((usage.wall, usage.cpu, len(list(out.rglob("*.parquet")))))
            shutil.rmtree(out)
        wall, cpu, shards = min(runs)
        rows.append({"case": name, "recordings": len(corpus.items(folder)), "shards": shards, "hours": hours,
                     "wall": wall, "cpu": cpu, "used": cpu / (wall * setting.threads)})
        print(f"  {name}: {100 * rows[-1]['used']:.0f} % of {setting.threads} cores", flush=True)
    return rows
