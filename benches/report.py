"""Markdown tables of the results."""
import pathlib
import statistics

import memory
from contenders import DECODE, SEGMENT, SOUNDFILE, TORCHCODEC
from cores import ALONE

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
# What the project sets out to reach.
SOUNDFILE_RATIO, SEGMENT_RATIO, MIXED_RATIO, FLAC_SHARE = 2.0, 1.5, 1.0, 1.15
PEAK, SLOPE, BUSY = 256e6, 1e6, 0.9


def table(header, rows):
    """The first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (header, rule, *rows)) + "\n"


def best(runs):
    return min(runs, key=lambda run: run["wall"])


def least(section, what):
    """{contender: its least wall or CPU time}, of contenders that finished."""
    return {name: min(run[what] for run in entry["runs"])
            for name, entry in section["contenders"].items() if entry.get("runs")}


def walls(section):
    return least(section, "wall")


def ratio(section, peer, codec, what="wall"):
    """How many times as much the peer takes as Étude with the same codec; None where one is missing."""
    found = least(section, what)
    ours = found.get(f"étude {codec}")
    theirs = found.get(peer if peer == DECODE else f"{peer} {codec}")
    return theirs / ours if ours and theirs else None


def shown(value, digits=2, suffix=""):
    return "–" if value is None else f"{value:.{digits}f}{suffix}"


def section_table(name, section):
    """All contenders over one corpus."""
    hours, found = section["hours"], walls(section)
    rows = []
    for contender, entry in section["contenders"].items():
        if not entry.get("runs"):
            rows.append([contender, *["–"] * 8])
            continue
        run, all_walls = best(entry["runs"]), [run["wall"] for run in entry["runs"]]
        codec = contender.rsplit(" ", 1)[-1]
        ours = found.get(f"étude {codec if codec in ('i16', 'flac') else 'i16'}")
        again = "" if contender.startswith("étude") or not ours else f"{run['wall'] / ours:.2f} ×"
        rows.append([
            contender, f"{run['wall']:.2f}", f"+{100 * (max(all_walls) / min(all_walls) - 1):.0f} %",
            f"{run['wall'] / hours:.2f}", f"{hours / run['wall']:.2f}", f"{run['cpu'] / hours:.2f}",
            f"{max(run['peak'] for run in entry['runs']) / 2**20:.0f}",
            f"{entry['stored'] / 2**20 / hours:.0f}" if entry.get("stored") else "", again])
    title = f"### {name}: {section['recordings']} recordings, {hours:.2f} h\n\n"
    text = title + table(["", "wall s", "spread", "wall s / h", "hours / wall s", "CPU s / h", "peak MiB",
                          "stored MiB / h", "wall ÷ étude's"], rows)
    lost = [f"- {contender}: {len(entry['failed'])} recordings failed, such as: {entry['failed'][0][:200]}"
            for contender, entry in section["contenders"].items() if entry.get("failed")]
    return text + ("\n" + "\n".join(lost) + "\n" if lost else "")


def ratios_table(sections, what):
    """How many times as much wall or CPU time each peer takes as Étude."""
    columns = [(SOUNDFILE, "i16"), (SOUNDFILE, "flac"), (SEGMENT, "i16"), (SEGMENT, "flac"),
               (f"{SEGMENT}, soxr", "i16"), (TORCHCODEC, "i16"), (TORCHCODEC, "flac"), (DECODE, "i16")]
    columns = [column for column in columns if any(ratio(section, *column) for section in sections.values())]
    rows = [[name, *[shown(ratio(section, *column, what), suffix=" ×") for column in columns],
             shown(flac_cost(section, what))]
            for name, section in sections.items()]
    header = ["", *[peer if peer == DECODE else f"{peer}, {codec}" for peer, codec in columns], "étude flac ÷ i16"]
    return table(header, rows)


def flac_cost(section, what="wall"):
    found = least(section, what)
    i16, flac = found.get("étude i16"), found.get("étude flac")
    return flac / i16 if i16 and flac else None


def _least(values):
    values = [value for value in values if value[0] is not None]
    return min(values, default=(None, ""))


def targets(results):
    """What was set out to reach, what was measured, whether it is met."""
    formats = {name: section for name, section in results.get("sections", {}).items() if name != "mixed"}
    mixed = results.get("sections", {}).get("mixed")
    rows = []

    def line(what, measured, where, met):
        if measured is not None:
            rows.append([what, measured, where, "yes" if met else "**no**"])

    for peer, wanted in ((SOUNDFILE, SOUNDFILE_RATIO), (SEGMENT, SEGMENT_RATIO)):
        for codec in ("i16", "flac"):
            value, where = _least([(ratio(section, peer, codec), name) for name, section in formats.items()])
            line(f"at least {wanted} × as fast as {peer}, {codec}, on every format",
                 value and f"{value:.2f} ×", f"least: {where}", value and value >= wanted)
    if mixed:
        value = ratio(mixed, DECODE, "i16")
        line("the whole path over the mixed corpus in no more time than ffmpeg decodes, i16",
             value and f"{1 / value:.2f} of its time", "mixed", value and value >= MIXED_RATIO)
    costs = [(-cost, name) for name, section in results.get("sections", {}).items() if (cost := flac_cost(section))]
    value, where = _least(costs)
    line("`codec: flac` at most 15 % slower than `i16`", value and f"{100 * (-value - 1):+.0f} %", f"most: {where}",
         value and -value <= FLAC_SHARE)
    if rows_long := results.get("memory"):
        longest = [row for row in rows_long if row["hours"] == max(row["hours"] for row in rows_long)]
        value, where = max((max(row["peaks"]), row["format"]) for row in longest)
        line("three hours: peak RSS at most 256 MB", f"{value / 1e6:.0f} MB", f"most: {where}", value <= PEAK)
        value, where = max((memory.slope(rows_long, row["format"]), row["format"]) for row in longest)
        line("slope against length at most 1 MB an hour", f"{value / 1e6:+.2f} MB / h", f"most: {where}", value <= SLOPE)
    if cases := results.get("cores"):
        value, where = min((row["used"], row["case"]) for row in cases if row["case"] != ALONE)
        line("all cores busy (90 % counts as busy)", f"{100 * value:.0f} %", f"least: {where}", value >= BUSY)
    return table(["target", "measured", "where", "met"], rows) if rows else ""


def stages_table(sections):
    """Seconds of Étude's threads in each stage, for an hour of audio."""
    rows = []
    for name, section in sections.items():
        for codec in ("i16", "flac"):
            entry = section["contenders"].get(f"étude {codec}", {})
            if entry.get("runs") and (stages := best(entry["runs"]).get("stages")):
                rows.append((name, codec, stages, best(entry["runs"])["cpu"]))
    if not rows:
        return ""
    columns = list(dict.fromkeys(stage for _, _, stages, _ in rows for stage in stages))
    lines = []
    for name, codec, stages, cpu in rows:
        hours = sections[name]["hours"]
        each = [shown(stages[stage] / hours) if stage in stages else "" for stage in columns]
        lines.append([f"{name}, {codec}", *each, shown(cpu / hours)])
    return table(["", *columns, "CPU of the process"], lines)


def agreement_table(sections):
    """Whether all did the same work."""
    rows = []
    for name, section in sections.items():
        for contender, entry in (section.get("agreement") or {}).items():
            rows.append([f"{name}, {contender}", entry["clips"], len(entry["off"]),
                         f"{entry['difference_db']:.0f} dB" if entry["gain_db"] is not None else "–",
                         shown(entry["gain_db"], suffix=" dB")])
    header = ["", "clips", "recordings off by more than one clip", "greatest difference", "gain"]
    return table(header, rows) if rows else ""


def memory_table(rows):
    names = list(dict.fromkeys(row["format"] for row in rows))
    lines = []
    for name in names:
        for row in (row for row in rows if row["format"] == name):
            lines.append([f"{name}, {row['hours']} h", f"{max(row['peaks']) / 1e6:.0f}",
                          f"{statistics.median(row['peaks']) / 1e6:.0f}", f"{row['wall']:.1f}", f"{row['cpu']:.1f}",
                          f"{memory.slope(rows, name) / 1e6:+.2f}" if row["hours"] > 1 else ""])
    return table(["", "peak RSS MB", "median MB", "wall s", "CPU s", "slope MB / h"], lines)


def claims_table(rows):
    def said(row):
        kept = f"{row['shards'] / 1e3:.0f} kB of shards, exit code {row['code']}"
        return " ".join(row["said"]).replace("|", "\\|")[:160] or kept

    return table(["header", "peak RSS MB", "wall s", "what Étude says"], [
        [row["claim"], f"{row['peak'] / 1e6:.0f}", f"{row['wall']:.2f}", said(row)] for row in rows])


def cores_table(rows):
    return table(["", "recordings", "shards", "hours", "wall s", "CPU s", "cores used"], [
        [row["case"], row["recordings"], row["shards"], f"{row['hours']:.2f}", f"{row['wall']:.2f}", f"{row['cpu']:.2f}",
         f"{100 * row['used']:.0f} %"] for row in rows])


def text(results):
    """Everything, in the order of a reader's questions."""
    machine, sections = results["machine"], results.get("sections", {})
    versions = ", ".join(f"{name} {version.removeprefix(name).removeprefix(' version ').strip()}"
                         for name, version in machine["versions"].items())
    parts = [
        f"Made by `{results['command']}` on {results['date']}, the best of {results['repeat']} runs in turns.\n\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory'] / 2**30:.0f} GiB, {machine['system']}; "
        f"{results['threads']} threads or processes ({machine['pinned']}); load before the start {machine['load']:.2f}. "
        f"{versions}.\n"]

    def part(title, content):
        if content:
            parts.append(f"## {title}\n\n{content}")

    part("Targets", targets(results))
    if sections:
        part("How many times as long the peers take", ratios_table(sections, "wall"))
        part("How many times as much CPU time the peers take", ratios_table(sections, "cpu"))
        part("Each corpus", "\n".join(section_table(name, section) for name, section in sections.items()))
        part("Where Étude's time goes: seconds of all threads for an hour of audio", stages_table(sections))
        part("Whether all did the same work", agreement_table(sections))
    if results.get("memory"):
        part("Memory against length", memory_table(results["memory"]))
    if results.get("claims"):
        part("Headers that claim too much", claims_table(results["claims"]))
    if results.get("cores"):
        part("Idle cores", cores_table(results["cores"]))
    return "\n".join(parts)


def update(page: pathlib.Path, content):
    """Replace what stands between the markers of a page."""
    old = page.read_text()
    if BEGIN not in old or END not in old:
        raise SystemExit(f"{page} has no lines {BEGIN} and {END}")
    before, rest = old.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n\n{content}\n{END}{rest.split(END, 1)[1]}")
