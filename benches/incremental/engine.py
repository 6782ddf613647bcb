"""Étude over a tree, with the checks that it did what was expected."""
import json
import pathlib
import shutil

from measure import measure, measure_success

PIPELINE = pathlib.Path(__file__).with_name("pipeline.yaml")
KEPT = ["shards", "features"]
COMPUTED, REUSED = {"computed"}, {"reused"}


def expect(true, what, seen):
    if not true:
        raise SystemExit(f"not what was expected of étude: {what}; it said {seen}")


def size(path):
    """Bytes of a file, or of all files below a folder; of none if there is nothing."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


class Etude:
    def __init__(self, program, tree, store, threads):
        self.program, self.tree, self.store, self.threads = program, tree, store, threads
        shutil.rmtree(store, ignore_errors=True)

    def _command(self, verb, *more):
        return [self.program, verb, PIPELINE, *more, "--store", self.store, "--set", f"music={self.tree.folder}"]

    def run(self, what, items, statuses=None):
        """A run after which the kept stages hold `items`; all stages ended with `statuses`, or not all reused."""
        usage = measure_success([*self._command("run"), "--json", "--threads", self.threads])
        last = json.loads(usage.stdout.splitlines()[-1])
        expect(last["event"] == "finished", f"{what}: the run finishes", last)
        stages = last["stages"]
        seen = {stage["status"] for stage in stages.values()}
        expect(seen == statuses if statuses else seen != REUSED,
               f"{what}: {'all' if statuses else 'not all'} stages are {' '.join(statuses or REUSED)}", seen)
        counts = {name: stages[name]["items"] for name in KEPT}
        expect(set(counts.values()) == {items}, f"{what}: {items} items", counts)
        return usage.figures()

    def plan(self, what, anything):
        """A plan according to which there is something to do, or nothing."""
        usage = measure_success([*self._command("plan"), "--json", "--threads", self.threads])
        actions = {stage["action"] for stage in json.loads(usage.stdout)["stages"].values()}
        nothing = actions == {"reuse"}
        expect(nothing != anything, f"{what}: {'some' if anything else 'no'} stage is to be computed",
               actions)
        return usage.figures()

    def why(self, item):
        """Why an item is as it is; None where there is no such command."""
        usage = measure(self._command("why", "shards", item))
        return None if usage.code else usage.figures()

    def on_disk(self):
        return {name: size(self.store / name) for name in ("snapshots", "stamps", "data")}
