"""Étude and its peers as processes that wait for jobs, so that all can take turns without starting anew."""
import json
import os
import pathlib
import subprocess
import sys

import libraries

HERE = pathlib.Path(__file__).resolve().parent
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class Failed(Exception):
    """A contender could not do a job."""


def environment(threads, python=None):
    """What they all run in. A kernel of OpenBLAS that someone has chosen may not be the processor's best."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    own |= {name: str(threads) for name in POOLS} | {"OMP_WAIT_POLICY": "passive"}
    return own | ({"PYTHONPATH": str(python)} if python else {})


def started(command, cores, env):
    keep = (lambda: os.sched_setaffinity(0, cores)) if hasattr(os, "sched_setaffinity") else None
    return subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, env=env, text=True, bufsize=1, preexec_fn=keep)


def ask(processes, jobs):
    """Gives each process its job, all at once, and waits for all of the answers."""
    for process, job in zip(processes, jobs):
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    lines = [process.stdout.readline() for process in processes]
    answers = [json.loads(line) if line else {"error": "it has ended"} for line in lines]
    for answer in answers:
        if "error" in answer:
            raise Failed(answer["error"])
    return answers


class Contender:
    """What can be asked for the seconds of a pass over all clips."""
    processes = ()

    def close(self):
        for process in self.processes:
            process.stdin.close()
            process.wait()


class Etude(Contender):
    name = "étude"

    def __init__(self, program, threads, cores):
        self.threads = threads
        self.processes = [started([program], cores, environment(threads))]

    def can(self, case):
        return True

    def job(self, case, setting, clips, sides):
        operator, parameters = case.etude(setting)
        return {"operator": operator, "parameters": parameters, "sides": sides, "clips": str(clips.path),
                "frames": clips.frames, "rate": clips.rate, "channels": clips.channels, "hop": clips.hop,
                "threads": self.threads}

    def warm(self, job):
        """It warms up itself, before each job."""

    def seconds(self, job, repeats):
        answer, = ask(self.processes, [job | {"repeats": repeats}])
        return sum(answer["seconds"]) / repeats

    def output(self, job, path):
        answer, = ask(self.processes, [job | {"repeats": 0, "threads": 1, "count": 1, "output": str(path)}])
        return answer["signals"][0]


class Peer(Contender):
    def __init__(self, library, python, threads, cores):
        self.name = self.library = library
        batched = library in libraries.BATCHED
        torch = ["torch"] if library in libraries.TORCH else []
        env = environment(threads if batched else 1, python)
        count = 1 if batched else threads
        self.processes = [started([sys.executable, HERE / "server.py", *torch], cores, env) for _ in range(count)]

    def can(self, case):
        return self.library in case.peers

    def job(self, case, setting, clips, sides):
        return {"kind": case.kind, "case": case.name, "library": self.library, "setting": vars(setting),
                "clips": str(clips.path), "frames": clips.frames, "channels": clips.channels, "count": clips.count}

    def shared(self, job, repeats):
        """What the processes answer, which share the clips."""
        ends = [job["count"] * part // len(self.processes) for part in range(len(self.processes) + 1)]
        jobs = [job | {"span": [first, end - first], "repeats": repeats} for first, end in zip(ends, ends[1:])]
        return ask(self.processes, jobs)

    def warm(self, job):
        """Once all processes are warm, they begin together."""
        self.shared(job, 0)

    def seconds(self, job, repeats):
        """Those of the process that takes longest."""
        return max(answer["seconds"] for answer in self.shared(job, repeats)) / repeats

    def output(self, job, path):
        answer, = ask(self.processes[:1], [job | {"span": [0, 1], "output": str(path)}])
        return answer["signals"][0]
