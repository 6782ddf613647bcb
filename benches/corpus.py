"""The same music in every format, the mixed corpus, and very long recordings; made once and kept."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

EXTENSIONS = {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a"}
MINUTE = 60

# format -> how ffmpeg encodes it. Perceptual noise substitution is left out of AAC, because its
# noise differs from decoder to decoder and the outputs are compared.
FORMATS = {
    "wav": ["-c:a", "pcm_s16le"],
    "flac": ["-c:a", "flac"],
    "mp3": ["-c:a", "libmp3lame", "-b:a", "192k"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "5"],
    "opus": ["-c:a", "libopus", "-b:a", "128k"],
    "m4a": ["-c:a", "aac", "-b:a", "192k", "-aac_pns", "0"],
}
LONG = {"flac": 3, "mp3": 3, "m4a": 3}


def ffmpeg(*arguments):
    command = ["ffmpeg", "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.strip()}")


def seconds(path):
    """The length that ffprobe tells."""
    command = ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "format=duration",
               "-of", "csv=p=0", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return float(text)


def recordings(music):
    """The recordings below a folder, in an order that depends on their names and sizes alone."""
    found = []
    for path in music.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(music).parts)
        if path.suffix.lower() in EXTENSIONS and path.is_file() and not hidden:
            key = hashlib.sha256(f"{path.name}:{path.stat().st_size}".encode()).hexdigest()
            found.append((key, path.name, path))
    if not found:
        raise SystemExit(f"{music} holds no recordings: fetch some with scripts/fetch-bench.py {music}")
    return [path for _, _, path in sorted(found)]


def select(music, hours, shortest=MINUTE):
    """Whole recordings of `shortest` seconds or more until there are `hours` of them, or all there are."""
    chosen, total = [], 0.0
    for path in recordings(music):
        length = seconds(path)
        if length < shortest:
            continue
        chosen.append((path, length))
        total += length
        if total >= hours * 3600:
            break
    return chosen


def _together(work, jobs, threads):
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, jobs))


def _complete(folder, wanted):
    try:
        return json.loads((folder / "made-from.json").read_text()) == wanted
    except (OSError, ValueError):
        return False


def _made(folder, wanted):
    (folder / "made-from.json").write_text(json.dumps(wanted, indent=1))


def _listing(chosen):
    return [f"{path.name}, {length:.3f} s" for path, length in chosen]


def formats(music, work, hours, threads):
    """A folder for each format, of the same recordings; {format: folder}."""
    folder = work / "corpus"
    chosen = select(music, hours)
    wanted = {"recordings": _listing(chosen), "formats": FORMATS}
    folders = {name: folder / name for name in FORMATS}
    if _complete(folder, wanted):
        return folders
    shutil.rmtree(folder, ignore_errors=True)
    for path in folders.values():
        path.mkdir(parents=True)
    print(f"encoding {len(chosen)} recordings in {len(FORMATS)} formats", flush=True)

    def encode(job):
        number, (path, _) = job
        wav = folders["wav"] / f"{number:03}.wav"
        ffmpeg("-threads", 1, "-i", path, "-map", "0:a:0", "-ar", 44100, "-ac", 2, "-map_metadata", -1,
               *FORMATS["wav"], wav)
        for name, options in FORMATS.items():
            if name != "wav":
                ffmpeg("-threads", 1, "-i", wav, *options, "-threads", 1, folders[name] / f"{number:03}.{name}")

    _together(encode, enumerate(chosen), threads)
    _made(folder, wanted)
    return folders


def mixed(music, work, hours):
    """The recordings as they are published: several formats and rates in one folder."""
    folder = work / "mixed"
    chosen = select(music, hours, shortest=0)
    wanted = {"recordings": _listing(chosen)}
    if not _complete(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, (path, _) in enumerate(chosen):
            link(path, folder / f"{number:03}{path.suffix.lower()}")
        _made(folder, wanted)
    return folder


def link(path, new):
    """The same file under another name, or a copy where the file system has no room for that."""
    path = path.resolve()
    try:
        os.link(path, new)
    except OSError:
        shutil.copyfile(path, new)


def long(wav, work, threads):
    """Recordings of one and of three hours, the music of `wav` over and over; {(format, hours): path}."""
    folder = work / "long"
    sources = sorted(wav.glob("*.wav"))
    wanted = {"recordings": [f"{path.name}, {path.stat().st_size}" for path in sources],
              "formats": {name: FORMATS[name] for name in LONG}, "hours": LONG}
    paths = {(name, hours): folder / f"{name}-{hours}h" / f"long.{name}"
             for name, most in LONG.items() for hours in (1, most)}
    if _complete(folder, wanted):
        return paths
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"encoding {len(paths)} recordings of one and three hours", flush=True)
    playlist = folder / "playlist"
    times = max(LONG.values()) + int(max(LONG.values()) * 3600 / max(1, sum(map(_wav_seconds, sources))))
    playlist.write_text("".join(f"file '{path.resolve()}'\n" for path in sources) * times)

    def encode(job):
        (name, hours), path = job
        path.parent.mkdir()
        ffmpeg("-threads", 1, "-f", "concat", "-safe", 0, "-i", playlist, "-t", hours * 3600,
               *FORMATS[name], "-threads", 1, path)

    _together(encode, sorted(paths.items(), key=lambda job: -job[0][1]), threads)
    _made(folder, wanted)
    return paths


def _wav_seconds(path):
    return path.stat().st_size / (44100 * 4)


def items(folder):
    """The recordings of a folder as (item, path), in the order of items."""
    return sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*")
                  if path.suffix.lower() in EXTENSIONS)


def hours(folder):
    """How many hours of audio a folder holds."""
    return sum(seconds(path) for _, path in items(folder)) / 3600


def warm(folder):
    """Read everything once, so that no contender pays for the disk."""
    for _, path in items(folder):
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass
    return pathlib.Path(folder)
