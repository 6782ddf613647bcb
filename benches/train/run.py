#!/usr/bin/env python3
"""Times a step of training in Étude and in PyTorch eager, in turns: same layers, shapes, optimiser and threads.

    python3 benches/train/run.py --trainer target/release/etude-trainer [--rounds 5] [--steps 6] [--update-docs]

needs torch 2.11 and transformers (benches/train/requirements.txt). OpenMP waits passively on both sides. PyTorch runs as
it comes, and once more with the allocator settings that Étude's worker gets. A round runs each side for --steps
steps, in a process of its own, and takes the median of all but the first two; the table has the median of the
rounds. Noise goes in; batches are copied into a tensor on both sides.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import machine  # noqa: E402

WARM = 2
# As operators/learning/worker.rs sets them.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(64 << 20)}
SIDES = ("Étude", "Étude bf16", "PyTorch", "PyTorch, same allocator")
DOCS = HERE.parents[1] / "docs/training.md"
BEGIN, END = "<!-- bench-train: begin -->", "<!-- bench-train: end -->"


def environment(threads, allocator):
    own = os.environ | {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(threads)}
    return own | ALLOCATOR if allocator else {k: v for k, v in own.items() if not k.startswith("MALLOC_")}


def measure(side, name, options):
    import models
    if side.startswith("Étude"):
        precision = "bf16" if side.endswith("bf16") else "f32"
        job = json.dumps(models.job(name, options.steps, options.threads, precision))
        command, env = [options.trainer, "--bench"], environment(options.threads, True)
    else:
        job, env = "", environment(options.threads, side != "PyTorch")
        command = [sys.executable, str(HERE / "eager.py"), name, str(options.steps), str(options.threads)]
    done = subprocess.run(command, input=job, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side}, {name}: {done.stderr[-2000:]}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    return statistics.median(result["seconds"][WARM:]) * 1e3, result["parameters"]


def table(times, parameters):
    lines = ["| model | parameters | " + " | ".join(f"{side}, ms" for side in SIDES)
             + " | ÷ PyTorch, same allocator | ÷ PyTorch |", "| --- " * (len(SIDES) + 4) + "|"]
    for name, sides in times.items():
        median = {side: statistics.median(values) for side, values in sides.items()}
        row = [f"{median[side]:.0f}" if side in median else "–" for side in SIDES]
        ours = median["Étude"]
        row += [f"**{ours / median['PyTorch, same allocator']:.2f}**", f"{ours / median['PyTorch']:.2f}"]
        lines.append(f"| {name} | {parameters[name] / 1e6:.2f} M | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="one of the models")
    parser.add_argument("--update-docs", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    import models
    names = [name for name in models.MODELS if options.only in (None, name)]
    times, parameters = {name: {side: [] for side in SIDES} for name in names}, {}
    for number in range(options.rounds):
        for name in names:
            counts = {}
            for side in SIDES:
                milliseconds, counts[side] = measure(side, name, options)
                times[name][side].append(milliseconds)
                print(f"round {number + 1}: {name}: {side}: {milliseconds:.0f} ms", file=sys.stderr)
            # masked_spec_embed is a tensor that PyTorch's side makes only where it masks.
            if abs(counts["Étude"] - counts["PyTorch"]) > 1024:
                sys.exit(f"{name}: the sides have {counts} parameters: not the same model")
            parameters[name] = counts["Étude"]
    text = table(times, parameters) + f"\n\n{machine.processor()}; {options.threads} threads, the median of {options.rounds} rounds."
    print(text)
    if options.update_docs:
        docs = DOCS.read_text()
        before, _, rest = docs.partition(BEGIN)
        DOCS.write_text(before + BEGIN + "\n\n" + text + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
