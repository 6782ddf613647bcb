"""What mixes the clips of a batch: Étude's worker, where it is a part of the training, beside torch-audiomentations.

Both get a batch of noise as a tensor and give another.
"""
import json
import statistics
import subprocess
import sys
import time

import libraries
import workers

NAMES = ("batch_mix", "mixup")
PEER = "torch_audiomentations"
STEPS, WARM = 25, 5


def rows(chosen):
    """A row for each of both at each rate, as rows.py has them."""
    return [row(chosen, name, rate) for rate in map(int, chosen.rates.split(",")) for name in NAMES]


def row(chosen, name, rate):
    samples = round(chosen.seconds * rate)
    train = {"encoder": {"cnn": {}}, "objective": {"nt_xent": {}}, "batch": chosen.clips, "epochs": 1,
             name: {"p": 1, **({"snr_db": [0, 5]} if name == "batch_mix" else {})}}
    job = {"train": train, "rate": rate, "samples": samples, "views": 1, "steps": STEPS, "threads": chosen.threads, "mix": True}
    seconds = {"étude": told([chosen.trainer, "--bench"], job, chosen.threads)}
    if name == "batch_mix" and libraries.there(PEER):
        peer = {"rate": rate, "samples": samples, "clips": chosen.clips, "threads": chosen.threads}
        seconds[PEER] = told([sys.executable, __file__], peer, chosen.threads)
    return {"case": name, "kind": "augmentation", "rate": rate, "clips": chosen.clips, "threads": chosen.threads,
            "seconds": seconds, "repeats": {}, "agreement": {}, "failed": {}}


def told(command, job, threads):
    done = subprocess.run([str(part) for part in command], input=json.dumps(job), env=workers.environment(threads),
                          capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr[-2000:]}")
    return [statistics.median(json.loads(done.stdout.strip().splitlines()[-1])["seconds"][WARM:])]


def main():
    """The peer: a job from standard input, an answer to standard output."""
    import torch
    from torch_audiomentations.augmentations.mix import Mix
    job = json.load(sys.stdin)
    torch.set_num_threads(job["threads"])
    mix = Mix(min_snr_in_db=0.0, max_snr_in_db=5.0, p=1.0, output_type="dict")
    batch, seconds = torch.rand(job["clips"], 1, job["samples"]) - 0.5, []
    with torch.no_grad():
        for _ in range(STEPS):
            begin = time.perf_counter()
            mix(batch, job["rate"])
            seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
