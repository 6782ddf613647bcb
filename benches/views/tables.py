"""The results as Markdown."""
import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from report import table  # noqa: E402

ETUDE, AUDIOMENTATIONS = "étude", "audiomentations"
# How many times as fast as audiomentations an augmentation is to be, and as the fastest of its peers a feature.
AUGMENTATION_AIM, FEATURE_AIM = 2, 1
BEGIN, END = "<!-- bench-views: begin -->", "<!-- bench-views: end -->"


def medians(row):
    return {name: statistics.median(seconds) for name, seconds in row["seconds"].items() if seconds}


def peers(rows):
    """In the order in which they first come."""
    return list(dict.fromkeys(name for row in rows for name in medians(row) if name != ETUDE))


def aim(kind, found):
    """What Étude's time is measured by, the ratio, and whether that is enough."""
    others = {name: seconds for name, seconds in found.items() if name != ETUDE}
    if ETUDE not in found or not others:
        return None
    if kind == "augmentation" and AUDIOMENTATIONS in others:
        name, wanted = AUDIOMENTATIONS, AUGMENTATION_AIM
    else:
        name, wanted = min(others, key=others.get), FEATURE_AIM
    ratio = others[name] / found[ETUDE]
    return name, ratio, ratio >= wanted


def compared(kind, rows):
    """One line a case: milliseconds a clip, and how many times as long as Étude each peer takes."""
    names = peers(rows)
    lines = []
    for row in rows:
        found = medians(row)
        cells = [f"{1e3 * found[ETUDE] / row['clips']:.3f}" if ETUDE in found else "–"]
        for name in names:
            cell = f"{1e3 * found[name] / row['clips']:.3f}" if name in found else ""
            if name in found and ETUDE in found:
                cell += f" ({found[name] / found[ETUDE]:.2f} ×)"
            cells.append(cell)
        verdict = aim(kind, found)
        cells.append("–" if verdict is None else f"**{verdict[1]:.2f} ×** {'met' if verdict[2] else '**missed**'}")
        lines.append([row["case"], *cells])
    return table(["", "étude, ms", *(f"{name}, ms" for name in names), "aim"], lines)


def chain(results, rows):
    """CLMR's chain: views a second, and what of a step of training their making takes."""
    step = results["step"]
    lines = []
    for row in rows:
        for name, seconds in medians(row).items():
            rate = row["clips"] / seconds
            cells = [f"{rate:.0f}", f"{1e3 / rate * row['threads']:.2f}"]
            known = step and row["threads"] == step["threads"]
            share = f"{100 * step['views'] / rate / step['seconds']:.1f} %" if known else ""
            lines.append([f"{name}, {row['threads']} thread{'s' * (row['threads'] > 1)}", *cells, share])
    text = table(["", "views a second", "ms of a thread for a view", "of a step"], lines)
    if step:
        text += (f"\nA step of {step['views']} views takes {step['seconds'] * 1e3:.0f} ms on {step['threads']} threads "
                 f"({step['source']}).\n")
    return text


def warnings(rows):
    lines = []
    for row in rows:
        where = f"{row['case']}, {row['rate']} Hz"
        lines += [f"- {where}: {name} does not do the same: {said}"
                  for name, (said, same) in row["agreement"].items() if not same]
        lines += [f"- {where}: {name} failed: {said[:200]}" for name, said in row["failed"].items()]
    return "\n".join(lines) or "None."


def agreement(rows):
    names = peers(rows)
    lines = [[f"{row['case']}, {row['rate']} Hz", *(row["agreement"].get(name, ("", True))[0] for name in names)]
             for row in rows if row["agreement"]]
    return table(["", *names], lines)


def met(rows):
    verdicts = [aim(row["kind"], medians(row)) for row in rows if row["kind"] != "chain"]
    verdicts = [verdict for verdict in verdicts if verdict]
    return f"{sum(verdict[2] for verdict in verdicts)} of {len(verdicts)} rows meet their aim."


def text(results):
    machine, rows = results["machine"], results["rows"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts = [f"Made by `{results['command']}` on {results['date']}: the median of {results['rounds']} rounds in turns, "
             f"{results['threads']} thread{'s' * (results['threads'] > 1)}, {results['clips']} clips of "
             f"{results['seconds']:g} s, milliseconds a clip. {machine['processor']}. {versions}.\n\n"
             "All get clips that were just written to memory. Étude changes blocks that it is given in place, as between stages; the peers "
             f"return new arrays.\n\n{met(rows)}\n"]
    for kind, title in (("augmentation", "Augmentations"), ("feature", "Features")):
        for rate in dict.fromkeys(row["rate"] for row in rows if row["kind"] == kind):
            chosen = [row for row in rows if row["kind"] == kind and row["rate"] == rate]
            parts.append(f"### {title}, {rate} Hz\n\n{compared(kind, chosen)}")
    if chains := [row for row in rows if row["kind"] == "chain"]:
        parts.append(f"### The whole CLMR chain\n\n{chain(results, chains)}")
    parts.append(f"### Where they do not do the same\n\n{warnings(rows)}\n")
    parts.append(f"### What was compared\n\n{agreement(rows)}")
    return "\n".join(parts)


def update(page, content):
    """Replaces what stands between the markers of a page."""
    old = page.read_text()
    if BEGIN not in old or END not in old:
        raise SystemExit(f"{page} has no lines {BEGIN} and {END}")
    before, rest = old.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n\n{content}\n{END}{rest.split(END, 1)[1]}")
