"""The results as Markdown."""
import statistics

import peers
import steps
from report import table

MIB = 2**20
FAR = [1_000_000, 10_000_000]


def best(runs, what="wall"):
    """The least of several runs; None of none."""
    return min((run[what] for run in runs or []), default=None)


def peak(runs):
    """The median of the peaks, of which a slope is taken as well."""
    return statistics.median(run["peak"] for run in runs) if runs else None


def ratio(one, other):
    return one / other if one and other else None


def digits(value):
    """As many decimals as are worth reading."""
    if value is None:
        return "–"
    return f"{value:,.{3 if abs(value) < 1 else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def times(value):
    return "–" if value is None else f"{digits(value)} ×"


def share(value):
    return "–" if value is None else f"{100 * value:.1f} %"


def scale_table(small, large):
    """Every step at a tenth and at all of the items."""
    rows = []
    for step in steps.STEPS:
        few, many = small["runs"].get(step), large["runs"].get(step)
        rows.append([step, digits(best(few)), digits(best(many)), digits(best(many, "cpu")),
                     share(ratio(best(many), best(large["runs"][steps.FIRST]))),
                     digits(few and peak(few) / MIB), digits(many and peak(many) / MIB)])
    few, many = f"{small['items']:,}", f"{large['items']:,}"
    return table(["", f"wall s, {few}", f"wall s, {many}", f"CPU s, {many}", "wall ÷ first run's",
                  f"peak MiB, {few}", f"peak MiB, {many}"], rows)


def peers_table(results, value, unit):
    """Each peer beside étude, and how many times as much it takes."""
    (ours, own), *others = results["runs"].items()
    rows = []
    for step in peers.STEPS:
        mine, theirs = value(own.get(step)), [value(runs.get(step)) for _, runs in others]
        rows.append([step, digits(mine), *map(digits, theirs), *[times(ratio(one, mine)) for one in theirs]])
    names = [name for name, _ in others]
    return table(["", *[f"{name}, {unit}" for name in (ours, *names)], *[f"{name} ÷ {ours}" for name in names]], rows)


def far_table(small, large):
    """What grows with the items, on a straight line through both sizes."""
    def seconds(step):
        return lambda one: best(one["runs"].get(step))

    def bytes_of(when, name):
        return lambda one: one[when][name]

    # What, how to get it, the unit of the columns, the unit of one item's.
    quantities = [(f"{step}, s", seconds(step), 1, 1e-6, "µs")
                  for step in (steps.PLAN, steps.RUN, steps.PLAN_EDIT, steps.EDIT)]
    quantities += [(f"{steps.PLAN}, peak MiB", lambda one: peak(one["runs"].get(steps.PLAN)), MIB, 1, "B"),
                   ("snapshots after the first run, MiB", bytes_of("first_bytes", "snapshots"), MIB, 1, "B"),
                   ("snapshots, more with each edit, MiB", bytes_of("edit_bytes", "snapshots"), MIB, 1, "B"),
                   ("stamps, MiB", bytes_of("first_bytes", "stamps"), MIB, 1, "B")]
    rows = []
    for name, get, unit, small_unit, unit_name in quantities:
        low, high = get(small), get(large)
        slope = (high - low) / (large["items"] - small["items"])
        far = [digits((high + slope * (items - large["items"])) / unit) for items in FAR]
        rows.append([name, digits(low / unit), digits(high / unit), f"{digits(slope / small_unit)} {unit_name}", *far])
    return table(["", f"{small['items']:,}", f"{large['items']:,}", "an item more",
                  *[f"{items:,}, by arithmetic" for items in FAR]], rows)


def text(results):
    machine, (small, large) = results["machine"], results["scale"]
    versions = ", ".join(f"{name} {version.removeprefix(name).strip()}"
                         for name, version in machine["versions"].items())
    parts = [f"""\
Made by `{results['command']}`
on {results['date']}. The first run is a single one; of the others the best of {results['repeat']} counts, and of their
peaks the median. All files had been read before.

{machine['processor']}, {machine['cores']} cores, {machine['memory'] / 2**30:.0f} GiB, {machine['system']}; \
{results['threads']} threads or processes ({machine['pinned']}); load before the start {machine['load']:.2f}. \
{versions}.
""", f"""\
## What a run costs

{large['items']:,} WAV files of 0.1 s, and a tenth of them; the kept stages are `shards` and, below it, `features`.

{scale_table(small, large)}"""]
    if compared := results["peers"]:
        parts.append(f"""\
## Beside {' and '.join(list(compared['runs'])[1:])}

{compared['items']:,} of these files, the same edits. A plan is `etude plan`, `dvc status` or `snakemake -n`; a run is
`etude run`, `dvc repro` or `snakemake`. Étude decodes, cuts, stores and makes features; the peers copy 44 bytes of
each file. DVC has one stage over the folder. Snakemake has a job a file, whose outputs were there from the beginning,
and looks at times of modification only. A run of it starts another process for each job.

{peers_table(compared, best, 's')}
Peak memory of the largest process:

{peers_table(compared, lambda runs: runs and peak(runs) / MIB, 'MiB')}""")
    parts.append(f"""\
## More items, by arithmetic

The last two columns were not measured: they lie on the straight line through the first two.

{far_table(small, large)}""")
    return "\n".join(parts)
