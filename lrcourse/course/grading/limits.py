"""How much one submission may use, and how much of what it answers is read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one submission; times in seconds, sizes in bytes.

    Inside the sandbox the kernel holds a process to `memory` (address space), `file_size`, `open_files` and
    `total_seconds` of CPU time, and the sandbox to `processes` (threads count) and to `disk` (held in memory, one
    portion for /tmp and one for /dev/shm). Outside, the judge waits `cell_seconds` for a cell, `call_seconds` for the
    calls of one check of a part (a quarter of it in a task of which a part has been stopped) and `total_seconds` for
    everything, keeps `text` characters of what a cell prints, and reads answers up to `answer` bytes, `items` values
    and `depth` levels.
    """

    cell_seconds: float = 60
    call_seconds: float = 60
    total_seconds: float = 600
    memory: int = 4 << 30
    processes: int = 64
    disk: int = 64 << 20
    file_size: int = 64 << 20
    open_files: int = 256
    text: int = 20_000
    answer: int = 16 << 20
    items: int = 1_000_000
    depth: int = 16
