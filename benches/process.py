"""Runs a command and says what it took: wall time, CPU time and memory of all its processes."""
import dataclasses
import os
import pathlib
import subprocess
import tempfile
import threading
import time


@dataclasses.dataclass
class Usage:
    begin: float   # the clock when it began
    wall: float    # seconds
    cpu: float     # seconds, user and system, of the command and all its children
    peak: int      # bytes, see `_memory`
    code: int
    stdout: str
    stderr: str


def _children(process):
    found = []
    try:
        for task in os.scandir(f"/proc/{process}/task"):
            text = pathlib.Path(task.path, "children").read_text()
            found += [int(child) for child in text.split()]
    except OSError:
        pass
    return found


def _tree(root):
    processes, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        processes.append(process)
        waiting += _children(process)
    return processes


def _kilobytes(path, key):
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.startswith(key):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def _memory(root):
    """Bytes: the peak so far of a process that is alone, what several hold now.

    Of several, each counts its proportional share (PSS), so that what they share counts once.
    """
    processes = _tree(root)
    if len(processes) == 1:
        return 1024 * _kilobytes(f"/proc/{root}/status", "VmHWM:")
    return 1024 * sum(_kilobytes(f"/proc/{process}/smaps_rollup", "Pss:") for process in processes)


class _Sampler(threading.Thread):
    def __init__(self, root, interval):
        super().__init__(daemon=True)
        self.root, self.interval = root, interval
        self.peak, self.over = 0, threading.Event()

    def run(self):
        while not self.over.wait(self.interval):
            self.peak = max(self.peak, _memory(self.root))


def measure(command, environment=None, stdin=None, interval=0.05):
    """Run `command`, its standard input the file `stdin`, looking at its memory every `interval` seconds."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, \
            open(stdin or os.devnull, "rb") as source:
        begin = time.time()
        process = subprocess.Popen([str(part) for part in command], stdin=source, stdout=stdout, stderr=stderr,
                                   env={**os.environ, **(environment or {})})
        sampler = _Sampler(process.pid, interval)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.time() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.over.set()
        sampler.join()
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    # The kernel's own figure is of the largest process, and is exact where there is only one.
    peak = max(sampler.peak, usage.ru_maxrss * 1024)
    return Usage(begin, wall, usage.ru_utime + usage.ru_stime, peak, process.returncode, *texts)
