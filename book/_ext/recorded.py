"""What the records of `lrcourse/records/` say, on any page; how long ago, which sources changed since, at the build.

    ```{record} superconvergence small
    ```

shows where a record comes from, `{record-list}` the same for all of them, `{record-times}` how long they took,
`{lab-times} 05-shoot-out` the same for a lab's notebook, `{record-speed}` what each choice of the fast loop is worth.
What no GPU has run is said to be missing.
"""

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lrcourse import records
from lrcourse.course import experiments, recording
from lrcourse.course.experiments import gpu_speed, labs
from lrcourse.intervals import paired_difference
from lrcourse.records import Record

NOT_YET = "not recorded yet"


def duration(seconds: float | None) -> str:
    """Seconds below two minutes, minutes below two hours, hours.

    >>> duration(12.3), duration(300), duration(7300), duration(None)
    ('12 s', '5 min', '2.0 h', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def processor(record: Record) -> float | None:
    """The processor time of all runs, if each has it."""
    times = [run["processor"] for run in record.runs if "processor" in run]
    return sum(times) if len(times) == len(record.runs) else None


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] + ["--:"] * (len(head) - 1), *rows])


def state(record: Record) -> str:
    """Whether the record is what its sources would give today, and what has changed if it is not."""
    changed = recording.changed(record)
    if changed is None:
        return "sources not here to compare"
    if not record.sources:
        return "**stale: made before its sources were kept file by file**"
    names = ", ".join(f"`{name}`" for name in changed)
    return f"**stale: {names} changed since**" if changed else "sources unchanged"


def without_gpu(stored: list[Record]) -> list[str]:
    """The experiments that have a size for a GPU and no record from one."""
    recorded = {each.experiment for each in stored if each.cuda}
    return [name for name in experiments.names() if name not in recorded and "full" in experiments.find(name).SIZES]


def provenance(record: Record, others: list[Record]) -> str:
    """When, on what, from which sources, how to repeat it, and whether a GPU has run it."""
    spent = processor(record)
    times = f"{duration(record.wall)} of wall time" + (f", {duration(spent)} of processor time" if spent else "")
    lines = [
        f"**{record.experiment}, size {record.size}**: recorded on {record.recorded}, {record.ago()}, {state(record)}.",
        f"{counted(len(record.runs), 'run')}, {counted(len(record.seeds), 'seed')}, {times}, on "
        f"{record.device}; {', '.join(f'{name} {version}' for name, version in record.versions.items())}; "
        f"commit {record.commit}.",
        f"Repeat with `{record.command}`.",
    ]
    if missing := recording.missing(record):
        lines.insert(1, f"**{counted(len(missing), 'run')} missing.**")
    if record.experiment in without_gpu(others):
        lines.append(f"No GPU has run it yet: `lrcourse records run --only {record.experiment} --size full "
                     "--device cuda` would.")  # fmt: skip
    return " ".join(lines)


def times(stored: list[Record]) -> str:
    """A row per record, and one for each experiment that no GPU has run."""
    rows = [
        [each.experiment, each.size, "GPU" if each.cuda else "CPU", str(len(each.runs)), duration(each.wall),
         duration(processor(each))]
        for each in stored
    ]  # fmt: skip
    rows += [
        [name, "full", "GPU", str(len(experiments.find(name).plan("full"))), NOT_YET, ""]
        for name in without_gpu(stored)
    ]
    return table(["Experiment", "Size", "Device", "Runs", "Wall time", "Processor time"], sorted(rows))


def lab_times(lab: str, stored: list[Record]) -> str:
    """A row for the CPU and one for the GPU."""
    rows, states = [], []
    for size, device in labs.SIZES.items():
        record = next((each for each in stored if (each.experiment, each.size) == ("labs", size)), None)
        run = next((each for each in record.runs if each["name"] == lab), None) if record else None
        if record is None or run is None:
            rows.append([f"GPU: {NOT_YET}" if device == "cuda" else f"CPU: {NOT_YET}", "", "", ""])
            continue
        results = run["results"]
        states.append(f"On {record.device}: {state(record)}.")
        rows.append([record.device, duration(run["seconds"]), duration(run.get("processor")),
                     f"{results['points']:g} of {results['of']:g}"])  # fmt: skip
    times = table(["Device", "Wall time", "Processor time", "Points of the checks"], rows)
    return "\n\n".join([times, " ".join(states)])


def speed(record: Record) -> str:
    """What each choice of the fast loop is worth, and whether the network is the same within the seeds' interval."""
    rows = []
    first, *_ = gpu_speed.arms()
    for name in gpu_speed.arms():
        images, share = (float(np.mean(record.values(name, what))) for what in ("images_per_second", "share"))
        factor = images / float(np.mean(record.values(first, "images_per_second")))
        apart = "" if name == first else difference(record, name, first)
        rows.append([name, f"{images:,.0f}", f"{factor:.2f}", f"{100 * share:.0f} %", apart])
    rate = max(record.values(first, "product_tflops"))
    return (
        f"{record.device}; its matrix product runs at {rate:.3g} TFLOP/s.\n\n"
        + table(["Choice", "Images/s", "Times plain", "Of the product's rate", "Accuracy minus plain, points"], rows)
    )  # fmt: skip


def difference(record: Record, name: str, first: str) -> str:
    a, b = (100 * np.array(record.values(each, "test_accuracy")) for each in (name, first))
    return f"{paired_difference(a, b):.1f}" if np.any(a != b) else "0: the same"


class OfRecords(SphinxDirective):
    """What all of these directives do: read the records, and be read again at the next build, when time has passed."""

    def markdown(self, stored: list[Record]) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        try:
            return self.parse_text_to_nodes(self.markdown(records.every()))
        except (RuntimeError, ValueError) as error:
            raise self.error(str(error)) from None


class OneRecord(OfRecords):
    required_arguments = 2

    def markdown(self, stored: list[Record]) -> str:
        return provenance(records.read(*self.arguments), stored)

    def run(self) -> list[nodes.Node]:
        return [nodes.container("", *super().run(), classes=["record"])]


class RecordList(OfRecords):
    def markdown(self, stored: list[Record]) -> str:
        return "\n".join(f"- {provenance(each, stored)}" for each in stored)


class RecordTimes(OfRecords):
    def markdown(self, stored: list[Record]) -> str:
        return times(stored)


class LabTimes(OfRecords):
    required_arguments = 1

    def markdown(self, stored: list[Record]) -> str:
        if self.arguments[0] not in labs.LABS:
            raise self.error(f"{self.arguments[0]!r} is none of {labs.LABS}")
        return lab_times(self.arguments[0], stored)


class RecordSpeed(OfRecords):
    def markdown(self, stored: list[Record]) -> str:
        found = [each for each in stored if each.experiment == "gpu_speed"]
        if not any(each.cuda for each in found):
            yet = "On a GPU: not recorded yet. `lrcourse records run --only gpu_speed --size full --device cuda` would."
            return "\n\n".join([yet, *map(speed, found)])
        return "\n\n".join(map(speed, found))


def setup(app: Sphinx) -> dict[str, bool]:
    for name, directive in {
        "record": OneRecord, "record-list": RecordList, "record-times": RecordTimes, "lab-times": LabTimes,
        "record-speed": RecordSpeed,
    }.items():  # fmt: skip
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
