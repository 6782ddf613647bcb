#!/usr/bin/env python3
"""How much of a training's speed the data path costs: clips a second live, by those of the same steps on batches that are
there already.

    python3 benches/train/live.py --etude target/release/etude --work /tmp/live [--update-docs]

Needs `make music notes`. The trainings are those of pipelines/demo.yaml and of pipelines/clmr.yaml at its small scale, of
fewer epochs.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as steps  # noqa: E402

DOCS = ROOT / "docs/training.md"
BEGIN, END = "<!-- live: begin -->", "<!-- live: end -->"
# pipeline -> (settings, rate, samples of a view)
TRAININGS = {"demo": ([], 16_000, 43_200), "clmr": (["scale=small"], 22_050, 19_683)}


def live(etude, work, name, settings):
    """What the training told at its end, and its parameters."""
    pipeline = (ROOT / f"pipelines/{name}.yaml").read_text()
    shorter = pipeline.replace("epochs: 30", "epochs: 10").replace("epochs: 40", "epochs: 5")
    path = work / f"{name}.yaml"
    path.write_text(shorter)
    common = [str(path), *(part for setting in settings for part in ("--set", setting)), "--store", str(work / "store")]
    done = subprocess.run([etude, "run", *common, "--until", "model", "--force", "model", "--json"], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    values = next(event["values"] for event in reversed(events)
                  if "data_seconds_per_example" in event.get("values", {}))
    paths = subprocess.run([etude, "path", common[0], "model", *common[1:]], cwd=ROOT, check=True, capture_output=True,
                           text=True).stdout.split()
    description = next(pathlib.Path(path) for path in paths if path.endswith("model.json"))
    return values, json.loads((ROOT / description).read_text())["train"]


def assembled(trainer, train, rate, samples, threads):
    """Clips a second of steps on batches that are there."""
    job = {"train": train, "rate": rate, "samples": samples, "views": 2, "steps": 12, "threads": threads}
    done = subprocess.run([trainer, "--bench"], input=json.dumps(job), env=steps.environment(threads, True),
                          capture_output=True, text=True, check=True)
    return train["batch"] / statistics.median(json.loads(done.stdout)["seconds"][steps.WARM:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etude", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--update-docs", action="store_true")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    trainer = pathlib.Path(options.etude).resolve().with_name("etude-trainer")
    threads = os.cpu_count()
    lines = ["| training | clips a second, live | on batches that are there | ratio | waiting for data | making a clip, ms of a thread |",
             "| --- | --- | --- | --- | --- | --- |"]
    for name, (settings, rate, samples) in TRAININGS.items():
        values, train = live(str(pathlib.Path(options.etude).resolve()), work, name, settings)
        ready = assembled(str(trainer), train, rate, samples, threads)
        lines.append(f"| {name} | {values['examples_per_second']:.0f} | {ready:.0f} | "
                     f"**{values['examples_per_second'] / ready:.2f}** | {values['waited'] * 100:.0f} % | "
                     f"{values['data_seconds_per_example'] * 1e3:.2f} |")
    text = "\n".join(lines)
    print(text)
    if options.update_docs:
        docs = DOCS.read_text()
        before, _, rest = docs.partition(BEGIN)
        DOCS.write_text(before + BEGIN + "\n\n" + text + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
