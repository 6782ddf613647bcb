"""What a command takes: wall time, CPU time, and the memory of its largest process."""
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile

STARTER = pathlib.Path(__file__).with_name("starter.py")


@dataclasses.dataclass
class Usage:
    wall: float
    cpu: float     # seconds, of the command and all its children
    peak: int      # bytes
    code: int
    stdout: str
    stderr: str

    def figures(self):
        return {"wall": self.wall, "cpu": self.cpu, "peak": self.peak}


def measure(command, folder=None, environment=None):
    """Run `command` in `folder`."""
    command = [str(part) for part in command]
    receive, send = os.pipe()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, os.fdopen(receive) as pipe:
        # Output goes to files: reading it would take time from what is measured.
        process = subprocess.Popen([sys.executable, "-I", "-S", STARTER, str(send), *command], cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, pass_fds=[send],
                                   env={**os.environ, **(environment or {})})
        os.close(send)
        numbers = pipe.read().split()
        process.wait()
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if not numbers:
        raise SystemExit(f"{command[0]} could not be started: {texts[1].strip()[-500:]}")
    wall, cpu, peak, code = numbers
    return Usage(float(wall), float(cpu), 1024 * int(peak), int(code), *texts)


def measure_success(command, folder=None, environment=None):
    """The same of a command that has to succeed."""
    usage = measure(command, folder, environment)
    if usage.code:
        said = (usage.stderr or usage.stdout).strip()[-2000:]
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {usage.code}:\n{said}")
    return usage
