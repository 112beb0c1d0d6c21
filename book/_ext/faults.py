"""`{faults}`: what an audit of a run can find; each fault with a run that has it, what the audit says, and the fix."""

from docutils import nodes
from fault_runs import RUNS, drawn
from myst_parser.mdit_to_docutils.base import default_slugify
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lrcourse.audit.faults import FAULTS


class Faults(SphinxDirective):
    """A card for each fault, with an address of its own."""

    def run(self) -> list[nodes.Node]:
        cards: list[nodes.Node] = []
        for name, make in RUNS.items():
            run = make()
            card = nodes.container("", classes=["fault"], ids=[f"fault-{default_slugify(name)}"])
            card += nodes.raw("", drawn(name, run), format="html")
            card += self.parse_text_to_nodes(
                f"**{name[0].upper()}{name[1:]}.** *Seen:* {run.finding(name).seen}.\n\n"
                f"*Why:* {FAULTS[name].why}.\n\n*Fix:* {FAULTS[name].fix}.\n"
            )
            cards.append(card)
        return cards


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("faults", Faults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
