"""What is measured: a row for each case at each rate, and who takes part in it."""
import os

import numpy

import agree
import cases
import clips
import clmr
import libraries
import tables
import workers

PEERS = ("audiomentations", "torch_audiomentations", "pedalboard", "librosa", "torchaudio", "nnaudio")
# Has packages of its own: it works with an older PyTorch alone.
CLMR = "torchaudio_augmentations"
# Seconds that a turn takes at least, by repeating the pass over all clips, and the most repeats.
TURN, MOST = 0.3, 200
# Whoever takes so many seconds for one pass has one turn.
SLOW = 5
CHAIN_CLIPS, CHAIN_THREADS = 64, (1, 2)


class Row:
    """A case at a rate, with all who take part in it."""

    def __init__(self, case, heard, threads, competitors, sounds=None, sides=()):
        self.case, self.heard, self.threads, self.competitors = case, heard, threads, competitors
        self.sounds, self.sides = str(sounds or ""), list(sides)
        self.repeats, self.seconds, self.agreement, self.failed = {}, {}, {}, {}

    def job(self, contender, fixed=False):
        return contender.job(self.case, self.case.setting(self.heard.rate, self.sounds, fixed), self.heard, self.sides)

    def try_with(self, contender, work):
        """Does something, unless the contender has failed before or does so now."""
        if contender.name in self.failed:
            return
        try:
            work()
        except workers.Failed as error:
            self.failed[contender.name] = str(error)
            print(f"  {self.case.name}, {self.heard.rate} Hz: {contender.name} failed: {error}", flush=True)

    def compare(self, scratch):
        """One clip through each."""
        outputs, path = {}, scratch / "output.f32"
        for contender in self.competitors:
            def give(contender=contender):
                shape = contender.output(self.job(contender, fixed=True), path)
                outputs[contender.name] = numpy.fromfile(path, "<f4").reshape(shape)
            self.try_with(contender, give)
        heard = self.heard
        clip = numpy.fromfile(heard.path, "<f4", heard.channels * heard.frames).reshape(heard.channels, -1)
        for name, theirs in outputs.items():
            if name != tables.ETUDE and tables.ETUDE in outputs:
                ours = outputs[tables.ETUDE]
                self.agreement[name] = agree.compare(self.case.check, clip, ours, theirs, self.heard.rate)

    def turn(self, number):
        """All once. Whoever comes first meets another state of the machine: let each be first in its turn."""
        first = number % len(self.competitors)
        for contender in self.competitors[first:] + self.competitors[:first]:
            self.try_with(contender, lambda contender=contender: self.time(contender))

    def time(self, contender):
        name, job = contender.name, self.job(contender)
        if name not in self.repeats:
            contender.warm(job)
            once = contender.seconds(job, 1)
            self.repeats[name] = min(MOST, max(1, round(TURN / once))) if once < SLOW else 0
            self.seconds[name] = [once] if once >= SLOW else []
        if self.repeats[name]:
            self.seconds[name].append(contender.seconds(job, self.repeats[name]))

    def result(self):
        return {"case": self.case.name, "kind": self.case.kind, "rate": self.heard.rate, "clips": self.heard.count,
                "threads": self.threads, "seconds": self.seconds, "repeats": self.repeats, "agreement": self.agreement,
                "failed": self.failed}


class Field:
    """Who takes part, started when first needed."""

    def __init__(self, chosen):
        self.chosen, self.started = chosen, {}
        self.cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))
        wanted = (chosen.peers or ",".join((*PEERS, CLMR))).split(",")
        self.peers = [peer for peer in wanted if (chosen.clmr_python if peer == CLMR else libraries.there(peer))]
        if left := set(PEERS) - set(self.peers):
            print(f"without {', '.join(sorted(left))}", flush=True)

    def start(self, name, threads):
        if len(self.cores) < threads:
            raise SystemExit(f"{threads} threads: there are {len(self.cores)} cores")
        if (name, threads) not in self.started:
            python = self.chosen.clmr_python if name == CLMR else os.environ.get("PYTHONPATH")
            self.started[name, threads] = (
                workers.Etude(self.chosen.apply.resolve(), threads, self.cores[:threads]) if name == tables.ETUDE
                else workers.Peer(name, python, threads, self.cores[:threads]))
        return self.started[name, threads]

    def of(self, case, threads):
        return [self.start(name, threads) for name in (tables.ETUDE, *(peer for peer in self.peers if peer in case.peers))]

    def close(self):
        for contender in self.started.values():
            contender.close()


def every(chosen, work, field):
    """All that is to be measured."""
    wanted = [name for name in (chosen.only or "").split(",") if name]
    listed = {kind: [case for case in group if not wanted or kind in wanted or case.name in wanted]
              for kind, group in cases.every().items()}
    music, made = chosen.music.resolve(), []
    for rate in map(int, chosen.rates.split(",")):
        heard = clips.raw(work, music, rate, round(chosen.seconds * rate), chosen.clips)
        sounds = clips.sounds(work, music, rate)
        bands = None
        for case in [*listed["augmentation"], *listed["feature"]]:
            if case.side and not chosen.etude:
                print(f"  {case.name} is left out: it needs --etude", flush=True)
                continue
            sides = clips.side(chosen.etude.resolve(), work, case.side, sounds[case.side]) if case.side else ()
            if case.of_features:
                bands = bands or clips.bands(work, heard)
            given = bands if case.of_features else heard
            made.append(Row(case, given, chosen.threads, field.of(case, chosen.threads), sounds.get(case.side), sides))
    for case in listed["chain"]:
        heard = clips.raw(work, music, clmr.RATE, clmr.FRAMES, CHAIN_CLIPS)
        made += [Row(case, heard, threads, field.of(case, threads)) for threads in CHAIN_THREADS]
    return made
