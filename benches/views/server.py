"""Times peers: reads jobs from standard input, each a line of JSON, and answers each with a line, as `apply` does.

The first job of its kind is warmed up once. Before each call its clips are written anew, as whatever stands above would
have just written them, which does not count.
"""
import json
import os
import random
import sys
import time
import warnings

import numpy

import cases
import libraries

warnings.filterwarnings("ignore")
kept = {}


def calls(job):
    key = json.dumps({name: job[name] for name in ("kind", "case", "setting", "clips", "span")}, sort_keys=True)
    if key not in kept:
        first, count = job["span"]
        shape = [job["channels"], job["frames"]] if job["channels"] > 1 else [job["frames"]]
        size = int(numpy.prod(shape))
        clips = numpy.fromfile(job["clips"], "<f4", count * size, offset=4 * first * size)
        setting = cases.Setting(**job["setting"])
        case = cases.find(job["kind"], job["case"])
        kept[key] = libraries.made(job["library"], case, setting, clips.reshape(count, *shape))
        for write, call in kept[key]:
            write()
            call()
    return kept[key]


def signals(write, call):
    """What a call gives, as one array [channels, frames] for each clip."""
    write()
    result = call()
    array = numpy.asarray(result.detach().numpy() if hasattr(result, "detach") else result)
    # A batch has an axis more: a signal of [clips, 1, frames], or features of [clips, bins, frames].
    return list(array) if array.ndim == 3 else [numpy.atleast_2d(array)]


def run(job):
    made = calls(job)
    if job.get("output"):
        outputs = [signal for write, call in made for signal in signals(write, call)]
        numpy.concatenate([signal.ravel() for signal in outputs]).astype("<f4").tofile(job["output"])
        return {"signals": [signal.shape for signal in outputs]}
    seconds = 0.0
    for _ in range(job["repeats"]):
        for write, call in made:
            write()
            begin = time.perf_counter()
            call()
            seconds += time.perf_counter() - begin
    return {"seconds": seconds}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)   # what a library prints is no answer
    random.seed(1)
    numpy.random.seed(1)
    if "torch" in sys.argv[1:]:
        import torch
        torch.manual_seed(1)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        torch.set_grad_enabled(False)
    for line in sys.stdin:
        try:
            answer = run(json.loads(line))
        except Exception as error:   # pylint: disable=broad-except
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
