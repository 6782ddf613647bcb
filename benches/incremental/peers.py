"""Étude, DVC and Snakemake over one tree, after the same edits.

The peers' action is as cheap as can be: the first 44 bytes of each recording. DVC has one stage over
the whole folder and writes one file, so that it need not track as many outputs. Snakemake has a job a
recording; its outputs are there from the beginning, and it looks at times of modification only.
"""
import pathlib
import re
import shutil
import sys

from engine import COMPUTED, REUSED
from measure import measure_success
from steps import EDIT, FIRST, PLAN, PLAN_EDIT, RUN
from tree import HEADER

HERE = pathlib.Path(__file__).resolve().parent
HOMES = ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"]
STEPS = [FIRST, PLAN, RUN, PLAN_EDIT, EDIT]


def expect(true, name, what, usage):
    if not true:
        said = (usage.stdout + usage.stderr).strip()[-1000:]
        raise SystemExit(f"not what was expected of {name}: {what}; it said\n{said}")


class EtudePeer:
    name = "étude"

    def __init__(self, etude):
        self.etude = etude

    def first(self):
        return {FIRST: self.etude.run(FIRST, self.etude.tree.items, COMPUTED)}

    def nothing(self):
        return {PLAN: self.etude.plan(PLAN, False),
                RUN: self.etude.run(RUN, self.etude.tree.items, REUSED)}

    def edited(self, _):
        return {PLAN_EDIT: self.etude.plan(PLAN_EDIT, True),
                EDIT: self.etude.run(EDIT, self.etude.tree.items)}


class Python:
    """A peer that is a Python package, in a folder of its own with the tree as `music` in it."""

    def __init__(self, folder, tree, packages, threads):
        self.folder, self.tree, self.threads = folder, tree, threads
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # Caches and settings go there as well: nothing is left on the machine or taken from it.
        self.environment = {name: str(folder / ".home") for name in HOMES}
        self.environment["DVC_NO_ANALYTICS"] = "1"
        if packages:
            self.environment["PYTHONPATH"] = str(packages)

    def call(self, *arguments):
        return measure_success([sys.executable, "-m", *arguments], self.folder, self.environment)


class Dvc(Python):
    name = "DVC"

    def first(self):
        shutil.copytree(self.tree.folder, self.folder / "music")
        shutil.copy(HERE / "headers.py", self.folder)
        self.call("dvc", "init", "--no-scm", "--quiet")
        # It would look for a newer version of itself.
        self.call("dvc", "config", "core.check_update", "false")
        self.call("dvc", "stage", "add", "--name", "headers", "--deps", "music", "--outs", "headers.bin",
                  f"{sys.executable} headers.py music headers.bin")
        usage = self.call("dvc", "repro")
        self._made(usage)
        return {FIRST: usage.figures()}

    def _made(self, usage):
        expect("Running stage" in usage.stdout, self.name, "the stage runs", usage)
        made = (self.folder / "headers.bin").stat().st_size
        expect(made == self.tree.items * len(HEADER), self.name, "a header for each file", usage)

    def nothing(self):
        status, repro = self.call("dvc", "status"), self.call("dvc", "repro")
        expect("up to date" in status.stdout, self.name, "nothing to do", status)
        expect("didn't change, skipping" in repro.stdout, self.name, "nothing to do", repro)
        return {PLAN: status.figures(), RUN: repro.figures()}

    def edited(self, item):
        (self.folder / "music" / item).write_bytes((self.tree.folder / item).read_bytes())
        status = self.call("dvc", "status")
        expect("modified" in status.stdout, self.name, "an edit is seen", status)
        repro = self.call("dvc", "repro")
        self._made(repro)
        return {PLAN_EDIT: status.figures(), EDIT: repro.figures()}


class Snakemake(Python):
    name = "Snakemake"

    def snakemake(self, *more):
        return self.call("snakemake", "--cores", str(self.threads), "--rerun-triggers", "mtime", *more)

    def first(self):
        """Not measured: a process for each file. The outputs are made here, after their inputs."""
        (self.folder / "music").symlink_to(self.tree.folder)
        shutil.copy(HERE / "Snakefile", self.folder)
        for index in range(self.tree.items):
            path = self.folder / "headers" / self.tree.name(index).removesuffix(".wav")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(HEADER)
        return {}

    def nothing(self):
        dry, run = self.snakemake("-n"), self.snakemake()
        for usage in (dry, run):
            expect("Nothing to be done" in usage.stdout + usage.stderr, self.name, "nothing to do", usage)
        return {PLAN: dry.figures(), RUN: run.figures()}

    def edited(self, item):
        dry, run = self.snakemake("-n"), self.snakemake()
        for usage in (dry, run):
            one = re.search(r"^header +1$", usage.stdout + usage.stderr, re.MULTILINE)
            expect(one, self.name, "one job is to be run", usage)
        return {PLAN_EDIT: dry.figures(), EDIT: run.figures()}


def compare(competitors, tree, repeat):
    """{name: {step: its runs}}."""
    runs = {one.name: {} for one in competitors}

    def add(one, figures):
        for step, figure in figures.items():
            runs[one.name].setdefault(step, []).append(figure)

    with tree:
        for one in competitors:
            add(one, one.first())
        for turn in range(repeat):
            # Whoever comes first meets another state of the machine: let each be first in its turn.
            order = competitors[turn % len(competitors):] + competitors[:turn % len(competitors)]
            for one in order:
                add(one, one.nothing())
            item = tree.edit(turn)
            for one in order:
                add(one, one.edited(item))
    return {"items": tree.items, "runs": runs}
