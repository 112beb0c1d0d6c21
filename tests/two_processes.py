"""A script that runs in several processes at once, as `torchrun` would start it, on this machine's processors."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BEGIN = """
import json, os, sys, torch
from torch import distributed

rank, world, folder = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), sys.argv[1]
distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
"""
END = """
distributed.barrier()
distributed.destroy_process_group()
"""


def run_together(script: str, folder: Path, world: int = 2) -> list[str]:
    """The last line that each process prints. `script` knows its `rank`, the `world` and the `folder`."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", BEGIN + script + END, str(folder)]
    ranks = [subprocess.Popen(command, env=_environment(rank, world), **pipes) for rank in range(world)]
    try:
        outputs = [rank.communicate(timeout=180) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0] * world, outputs
    return [stdout.splitlines()[-1] for stdout, _ in outputs]


def _environment(rank: int, world: int) -> dict[str, str]:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    return {**os.environ, **{name: str(value) for name, value in places.items()}}
