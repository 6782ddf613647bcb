"""The clips that everybody gets, as raw files, and sounds to be mixed in and convolved with."""
import dataclasses
import json
import pathlib
import subprocess

import numpy
import soundfile
import soxr

ENDINGS = {".wav", ".flac", ".ogg", ".mp3", ".opus"}
LEAST_RATE = 44_100
# A clip of which any tenth is softer than this is left out: silence makes some steps faster, and hides others.
SILENT, PARTS = 1e-3, 10
SHARDS = """\
name: sounds
stages:
  files: {{op: scan, path: {folder}}}
  audio: {{op: decode}}
  clips: {{op: segment, seconds: {seconds}}}
  kept:  {{op: shards, codec: i16}}
"""


@dataclasses.dataclass(frozen=True)
class Clips:
    path: pathlib.Path
    rate: int
    frames: int
    count: int
    channels: int = 1
    hop: int = 1


def recordings(music):
    """Recordings of all frequencies that can be heard, or all there are."""
    found = sorted(path for path in music.rglob("*") if path.suffix.lower() in ENDINGS)
    if not found:
        raise SystemExit(f"{music} has no recordings")
    return [path for path in found if soundfile.info(path).samplerate >= LEAST_RATE] or found


def mono(path, rate):
    samples, own = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), own, rate)


def cut(music, rate, frames, count):
    """Pieces that are nowhere silent, as many of each recording, spread over it."""
    paths = recordings(music)
    pieces = []
    for number, path in enumerate(paths):
        wanted = count * (number + 1) // len(paths) - count * number // len(paths)
        samples = mono(path, rate)
        whole = samples[:len(samples) // frames * frames].reshape(-1, frames)
        parts = whole[:, :frames // PARTS * PARTS].reshape(len(whole), PARTS, -1)
        loud = whole[numpy.sqrt((parts**2).mean(axis=2)).min(axis=1) > SILENT]
        pieces += [loud[len(loud) * at // wanted] for at in range(wanted if len(loud) else 0)]
    if len(pieces) < count:
        raise SystemExit(f"{music} has too few clips of {frames / rate:g} s")
    return numpy.stack(pieces).astype("<f4")


def raw(work, music, rate, frames, count):
    """The clips of a rate, made if they are not there."""
    path = work / f"{music.name}-{rate}-{frames}-{count}.f32"
    if not path.is_file():
        cut(music, rate, frames, count).tofile(path)
    return Clips(path, rate, frames, count)


def bands(work, clips):
    """Log-mel bands of clips, for what takes features."""
    import librosa
    hop, n_mels = 512, 128
    path = work / f"{clips.path.stem}-bands.f32"
    samples = numpy.fromfile(clips.path, "<f4").reshape(clips.count, clips.frames)
    frames = 1 + clips.frames // hop
    if not path.is_file():
        power = [librosa.feature.melspectrogram(y=clip, sr=clips.rate, n_mels=n_mels, hop_length=hop) for clip in samples]
        numpy.log(numpy.stack(power) + 1e-6).astype("<f4").tofile(path)
    return Clips(path, clips.rate, frames, clips.count, n_mels, hop)


def sounds(work, music, rate):
    """Folders of WAV files: for `background` half a minute of some recordings, for `impulses` one that is made:
    the direct sound and a second of decaying noise."""
    folders = {name: work / f"{name}-{rate}" for name in ("background", "impulses")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    for number, path in enumerate(recordings(music)[:4]):
        if not (target := folders["background"] / f"{number}.wav").is_file():
            samples = mono(path, rate)
            middle = max(0, len(samples) // 2 - 15 * rate)
            soundfile.write(target, samples[middle:middle + 30 * rate], rate)
    if not (target := folders["impulses"] / "0.wav").is_file():
        time = numpy.arange(rate) / rate
        noise = numpy.random.default_rng(1).normal(size=rate) * 10 ** (-3 * time / 0.6)
        noise *= 0.3 / numpy.abs(noise).max()
        noise[0] = 0.99
        soundfile.write(target, noise, rate)
    return folders


def side(etude, work, name, folder):
    """A folder of WAV files, a clip each, as what an operator reads besides: shards that Étude has made of them."""
    files = sorted(folder.glob("*.wav"))
    seconds = soundfile.info(files[0]).duration
    pipeline = work / f"{folder.name}.yaml"
    pipeline.write_text(SHARDS.format(folder=json.dumps(str(folder)), seconds=seconds))
    common = [pipeline, "--store", work / "store"]
    subprocess.run([etude, "run", *common], check=True, capture_output=True)
    path = subprocess.run([etude, "path", pipeline, "kept", *common[1:]], check=True, capture_output=True, text=True)
    shards = [line for line in path.stdout.split("\n") if line.endswith(".parquet")]
    if len(shards) != 1:
        raise SystemExit(f"{len(shards)} shards of {folder}: one was expected")
    link = {"stage": "kept", "operator": "shards", "version": 1, "parameters": {}}
    rate = soundfile.info(files[0]).samplerate
    kept = {"rate": rate, "hop": 1, "channels": 1, "planes": 1, "unit": "Clip", "frames": None, "most_frames": None,
            "views": 1, "drawn": [], "masking": "None", "tokens": False}
    signal = {"stage": "kept", "shards": shards, "items": [[0, row, 1] for row in range(len(files))], "views": 1,
              "signal": kept, "store": link, "chain": []}
    return [[name, [{"signal": signal}]]]
