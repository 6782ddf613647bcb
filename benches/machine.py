"""What the figures were taken on."""
import os
import pathlib
import platform
import subprocess
import sys


def _first_line(command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    return text.splitlines()[0] if text else None


def _processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _package(name, python_path):
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return _first_line([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(python_path)!r}); {code}"])


def ffmpeg_has_soxr():
    text = subprocess.run(["ffmpeg", "-hide_banner", "-buildconf"], capture_output=True, text=True, check=False).stdout
    return "--enable-libsoxr" in text


def pin(threads):
    """Keep this process and all that it starts on so many cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        raise SystemExit(f"--threads {threads}: this machine has {len(cores)} cores")
    os.sched_setaffinity(0, cores[:threads])
    return "pinned to cores " + ", ".join(map(str, cores[:threads]))


def processor():
    """The processor and how many cores of it are used."""
    return f"{_processor()}, {os.cpu_count()} cores"


def describe(etude, python_path, peers):
    ffmpeg = (_first_line(["ffmpeg", "-version"]) or "").split(" Copyright")[0]
    versions = {"etude": _first_line([str(etude), "--version"]), "ffmpeg": ffmpeg, "python": platform.python_version()}
    for name in peers:
        versions[name] = _package(name, python_path)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": memory,
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg()[0],
        "versions": {name: version for name, version in versions.items() if version},
    }
