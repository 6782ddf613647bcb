"""Who is compared: each makes clips of 10 s, 16 kHz and mono of a folder, in as many processes or threads."""
import dataclasses
import json
import pathlib
import re
import shutil
import sys

import corpus
from process import measure

HERE = pathlib.Path(__file__).resolve().parent
FFMPEG = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1"]


@dataclasses.dataclass
class Setting:
    """What all contenders share."""
    etude: pathlib.Path
    python_path: pathlib.Path
    scratch: pathlib.Path
    threads: int


@dataclasses.dataclass
class Contender:
    name: str
    codec: str | None      # None where nothing is stored
    kind: str              # etude, python, segments, decode
    options: tuple = ()    # of ffmpeg, or the program of a peer in Python
    cannot: tuple = ()     # formats

    @property
    def key(self):
        return f"{self.name} {self.codec}" if self.codec else self.name

    def run(self, setting, folder):
        """Go through `folder` into a fresh folder of its own, and say what it took."""
        out = setting.scratch / re.sub(r"\W+", "-", self.key)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        return {"etude": self._etude, "python": self._python, "segments": self._ffmpeg,
                "decode": self._ffmpeg}[self.kind](setting, folder, out)

    def _etude(self, setting, folder, out):
        command = [setting.etude, "run", HERE / "path.yaml", "--set", f"music={folder}", "--set", f"codec={self.codec}",
                   "--store", out / "store", "--threads", setting.threads, "--max-rejects", "100%"]
        usage = measure(command)
        result = _result(usage, out)
        # "audio: computed, 16 items in, 16 out, 16 rows, 2.17 s"
        stages = re.findall(r"^(\w+): computed,.*?([\d.]+) s$", usage.stderr, re.MULTILINE)
        result["stages"] = {name: float(seconds) for name, seconds in stages}
        result["failed"] = re.findall(r"^\w+: rejected (.*)$", usage.stderr, re.MULTILINE)
        return result

    def _python(self, setting, folder, out):
        jobs = out / "jobs"
        jobs.write_text(json.dumps([{"item": item, "path": str(path)} for item, path in longest_first(folder)]))
        command = [sys.executable, HERE / "peers" / self.options[0], "--codec", self.codec,
                   "--processes", setting.threads, "--out", out, "--jobs", jobs]
        libraries = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS")}
        usage = measure(command, {**libraries, "PYTHONPATH": str(setting.python_path)})
        result = _result(usage, out)
        if not usage.code:
            said = json.loads(usage.stdout.splitlines()[-1])
            # Loading numpy, pyarrow or torch is not counted: a longer corpus would hide it.
            result["loading"] = said["ready"] - usage.begin
            result |= {name: said[name] for name in ("wall", "cpu", "failed")}
        return result

    def _ffmpeg(self, setting, folder, out):
        """`xargs -P`, an ffmpeg for each recording."""
        jobs, places = [], {}
        for number, (item, path) in enumerate(longest_first(folder)):
            clips = out / f"{number:04}"
            if self.codec:
                clips.mkdir()
            places[item] = clips.name
            jobs += [str(path), str(clips)]
        (out / "jobs").write_bytes("".join(f"{job}\0" for job in jobs).encode())
        (out / "places.json").write_text(json.dumps(places))
        # "$1" is a recording, "$2" the folder of its clips.
        common = ' '.join(FFMPEG) + ' -i "$1" -map 0:a:0'
        if self.codec:
            encoder, suffix = {"i16": ("pcm_s16le", "wav"), "flac": ("flac", "flac")}[self.codec]
            script = f'exec {common} {" ".join(self.options)} -ar 16000 -ac 1 -sample_fmt s16 -c:a {encoder} ' \
                     f'-f segment -segment_time 10 "$2/%05d.{suffix}"'
        else:
            script = f"exec {common} -f null -"
        command = ["xargs", "-0", "-n", 2, "-P", setting.threads, "sh", "-c", script, "sh"]
        usage = measure(command, stdin=out / "jobs")
        result = _result(usage, out)
        result["command"] = f"xargs -0 -n 2 -P {setting.threads} sh -c '{script}' sh"
        # xargs ends with 123 when a command did not end with 0; the others have run all the same.
        if usage.code == 123:
            result["code"], result["failed"] = 0, usage.stderr.strip().splitlines()
        return result


def _result(usage, out):
    return {"wall": usage.wall, "cpu": usage.cpu, "peak": usage.peak, "code": usage.code, "failed": [],
            "stderr": usage.stderr[-2000:] if usage.code else "", "out": str(out)}


def longest_first(folder):
    """So that no worker of a peer is idle at the end while another still has a long recording to go."""
    return sorted(corpus.items(folder), key=lambda job: -job[1].stat().st_size)


def stored(out):
    """Bytes of audio files and shards."""
    return sum(path.stat().st_size for path in pathlib.Path(out).rglob("*")
               if path.suffix in (".parquet", ".wav", ".flac"))


SOUNDFILE = "soundfile + soxr + pyarrow"
SEGMENT = "ffmpeg segment"
TORCHCODEC = "torchcodec + pyarrow"
DECODE = "ffmpeg decode only"


def contenders(with_soxr, with_torchcodec):
    found = [Contender("étude", codec, "etude") for codec in ("i16", "flac")]
    found += [Contender(SOUNDFILE, codec, "python", ("soundfile_soxr.py",), cannot=("m4a",))
              for codec in ("i16", "flac")]
    found += [Contender(SEGMENT, codec, "segments") for codec in ("i16", "flac")]
    if with_soxr:
        soxr = ("-af", "aresample=resampler=soxr:precision=20")
        found.append(Contender(f"{SEGMENT}, soxr", "i16", "segments", soxr))
    if with_torchcodec:
        found += [Contender(TORCHCODEC, codec, "python", ("torchcodec_parquet.py",))
                  for codec in ("i16", "flac")]
    return [*found, Contender(DECODE, None, "decode")]
