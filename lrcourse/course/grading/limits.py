"""How much one submission may use, and how much of what it answers is read."""

from dataclasses import dataclass, replace

FLOOR, FLOORS = 3.0, 20  # seconds for a cell or a call of the first pass, and how many times that for all of it


@dataclass(frozen=True)
class Limits:
    """Limits of one submission; times in seconds, sizes in bytes.

    Inside the sandbox the kernel holds a process to `memory` (address space), `file_size`, `open_files` and
    `total_seconds` of CPU time, and the sandbox to `processes` (threads count) and to `disk` (held in memory, one
    portion for /tmp and one for /dev/shm). Outside, the judge waits `cell_seconds` for a cell, `call_seconds` for the
    calls of one check of a part (an eighth of it in a task of which a part has been stopped) and `total_seconds` for
    everything, keeps `text` characters of what a cell prints, and reads answers up to `answer` bytes, `items` values
    and `depth` levels. Where it is not `patient`, the first cell, call or sandbox that is lost ends the run.
    """

    cell_seconds: float = 60
    call_seconds: float = 30
    total_seconds: float = 300
    memory: int = 4 << 30
    processes: int = 64
    disk: int = 64 << 20
    file_size: int = 64 << 20
    open_files: int = 256
    text: int = 20_000
    answer: int = 16 << 20
    items: int = 1_000_000
    depth: int = 16
    patient: bool = True

    def quick(self) -> "Limits":
        """Those of a first pass, which ends at the first stop: an eighth of the time, and not less than seconds.

        Whoever is stopped, be it by a loop or by what else the machine does, is run once more alone with all of it.

        >>> Limits(call_seconds=80).quick().call_seconds, Limits(call_seconds=3).quick().call_seconds
        (10.0, 3)
        """

        def less(seconds: float) -> float:
            return min(seconds, max(seconds / 8, FLOOR))

        return replace(
            self, cell_seconds=less(self.cell_seconds), call_seconds=less(self.call_seconds),
            total_seconds=min(self.total_seconds, max(self.total_seconds / 8, FLOORS * FLOOR)), patient=False,
        )  # fmt: skip
