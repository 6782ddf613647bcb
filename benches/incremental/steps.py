"""What is measured of Étude: the first run over a tree, then runs after nothing and after little has changed."""
from engine import COMPUTED, REUSED

FIRST = "first run"
PLAN, RUN = "plan, nothing to do", "run, nothing to do"
PLAN_EDIT, WHY, EDIT = "plan, one file edited", "why, one file edited", "run, one file edited"
ADD, REMOVE, TOUCH = "run, one file added", "run, one file removed", "run, all files touched"
STEPS = [FIRST, PLAN, RUN, PLAN_EDIT, WHY, EDIT, ADD, REMOVE, TOUCH]


def measure_steps(etude, repeat):
    """{step: its runs}, and what the store holds for each item."""
    items = etude.tree.items
    with etude.tree as tree:
        runs = {FIRST: [etude.run(FIRST, items, COMPUTED)]}
        begun = etude.on_disk()

        def add(step, figures):
            if figures:
                runs.setdefault(step, []).append(figures)

        for turn in range(repeat):
            add(PLAN, etude.plan(PLAN, False))
            add(RUN, etude.run(RUN, items, REUSED))
            before = etude.on_disk()
            item = tree.edit(turn)
            add(PLAN_EDIT, etude.plan(PLAN_EDIT, True))
            add(WHY, etude.why(item))
            add(EDIT, etude.run(EDIT, items))
            after = etude.on_disk()
            tree.add(turn)
            add(ADD, etude.run(ADD, items + 1))
            # The next turn begins with as many files: one was added, another goes.
            tree.remove(turn)
            add(REMOVE, etude.run(REMOVE, items))
            tree.touch()
            add(TOUCH, etude.run(TOUCH, items, REUSED))
    grown = {name: after[name] - before[name] for name in before}
    return {"items": items, "runs": runs, "first_bytes": begun, "edit_bytes": grown}
