#!/usr/bin/env python3
"""Runs the pipelines' small scales and prints what they came to: a row a pipeline and precision.

    python3 benches/train/pipelines.py --etude target/release/etude --work /tmp/learned [--seeds 1 2 3] [--update-docs]

Needs `make music notes`. A run that the store in --work has is not done again.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs/training.md"
BEGIN, END = "<!-- pipelines: begin -->", "<!-- pipelines: end -->"


def run(etude, work, name, seed, precision):
    """The events of a run."""
    command = [etude, "run", f"pipelines/{name}.yaml", "--set", "scale=small", "--set", f"seed={seed}",
               "--set", f"precision={precision}", "--store", str(work), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}, seed {seed}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def metrics(etude, work, name, seed, precision):
    """The rows of the training's table."""
    import pyarrow.parquet
    command = [etude, "path", f"pipelines/{name}.yaml", "model", "--set", "scale=small", "--set", f"seed={seed}",
               "--set", f"precision={precision}", "--store", str(work)]
    paths = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    table = pyarrow.parquet.read_table(next(path for path in paths if path.endswith("metrics.parquet")))
    return table.to_pydict()


def mean(values, share=0.05):
    values = [value for value in values if value is not None]
    return statistics.mean(values[-max(1, round(len(values) * share)):])


def told(values):
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etude", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", default=["clmr", "byol", "wav2vec2"])
    parser.add_argument("--precisions", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--update-docs", action="store_true")
    options = parser.parse_args()
    lines = ["| pipeline | precision | seeds | loss, first and last steps | deviation of vectors | trained | untrained | log-mel |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for name in options.only:
        for precision in options.precisions:
            # Probes are told by all seeds in 32 bits; the rest by one.
            seeds = options.seeds if precision == "f32" and name != "wav2vec2" else options.seeds[:1]
            scores, first, last, deviation, accuracy = {}, [], [], [], []
            for seed in seeds:
                events = run(options.etude, options.work.resolve(), name, seed, precision)
                rows = [row for event in events if event["event"] == "result" for row in event["rows"]]
                for row in rows:
                    scores.setdefault(row["vectors"], []).append(row["accuracy"])
                table = metrics(options.etude, options.work.resolve(), name, seed, precision)
                first.append(mean(table["loss"][: max(1, len(table["loss"]) // 50)], 1))
                last.append(mean(table["loss"]))
                deviation.append(mean(table["feature_std"]))
                if "accuracy" in table:
                    accuracy.append((mean(table["accuracy"]), mean(table["chance"])))
                print(f"{name} {precision} seed {seed}: {rows or accuracy[-1:]}", file=sys.stderr)
            if accuracy:
                columns = [f"masked accuracy {told([one for one, _ in accuracy])}",
                           f"chance {told([chance for _, chance in accuracy])}", ""]
            else:
                columns = [told(scores[vectors]) for vectors in ("trained", "untrained", "log_mel")]
            lines.append(f"| {name} | {precision} | {', '.join(map(str, seeds))} | {statistics.mean(first):.3f}, "
                         f"{statistics.mean(last):.3f} | {statistics.mean(deviation):.2f} | " + " | ".join(columns) + " |")
    text = "\n".join(lines)
    print(text)
    if options.update_docs:
        docs = DOCS.read_text()
        before, _, rest = docs.partition(BEGIN)
        DOCS.write_text(before + BEGIN + "\n\n" + text + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
