"""How long a step of training takes that the views are made for: SampleCNN, 16 clips, two views of 59,049 samples each."""
import json
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VIEWS = 32
TRAIN = {"objective": {"nt_xent": {"temperature": 0.5}}, "projector": {"hidden": 512, "outputs": 64},
         "optimizer": {"adam": {"learning_rate": 3e-4}}, "schedule": {"constant": {}}, "epochs": 1,
         "encoder": {"sample_cnn": {}}, "batch": VIEWS // 2}
STEPS, WARM = 8, 2


def measured(trainer, threads):
    """Steps on batches that are there already, by the worker program."""
    sys.path.insert(0, str(ROOT / "benches/train"))
    import run as steps
    job = {"train": TRAIN, "rate": 22_050, "samples": 59_049, "views": 2, "steps": STEPS, "threads": threads}
    done = subprocess.run([trainer, "--bench"], input=json.dumps(job), env=steps.environment(threads, True),
                          capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{trainer}: {done.stderr[-2000:]}")
    seconds = statistics.median(json.loads(done.stdout.strip().splitlines()[-1])["seconds"][WARM:])
    source = f"measured here, the median of {STEPS - WARM}"
    return {"seconds": seconds, "views": VIEWS, "threads": threads, "source": source}


def documented():
    """The figure of docs/training.md, which was taken on two cores of another machine perhaps."""
    page = (ROOT / "docs/training.md").read_text()
    found = re.search(r"^\| SampleCNN \|[^|]*\| *(\d+) *\|", page, re.M)
    return found and {"seconds": int(found[1]) / 1e3, "views": VIEWS, "threads": 2, "source": "docs/training.md"}


def of(options):
    """As it is told, measured, or documented."""
    if options.step_seconds:
        return {"seconds": options.step_seconds, "views": options.step_views, "threads": 2, "source": "as given"}
    return measured(options.trainer, 2) if options.trainer else documented()
