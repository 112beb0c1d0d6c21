"""The gradebook in a real PostgreSQL server: two graders at once, and one that is killed in between."""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_lab import DOUBLE, filled, grade, hand_in, hashes, table

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.postgresql]
PROGRAMS = max(glob.glob("/usr/lib/postgresql/*/bin"), default="")
GRADE = """
import sys
from pathlib import Path
from tests.small_lab import grade
course, submissions, output, url = sys.argv[1:]
grade(Path(course), Path(submissions), Path(output), database=url)
"""


@pytest.fixture(scope="module")
def server():
    """The address of a server with an empty database, which only this machine can reach."""
    place = Path(subprocess.check_output(["mktemp", "-d", "/tmp/postgres.XXXXXX"], text=True).strip())
    other = []
    if os.getuid() == 0:  # it refuses to run as root
        shutil.chown(place, "nobody", "nogroup")
        other = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = place / "data"
    subprocess.run([*other, f"{PROGRAMS}/initdb", "-D", data, "-U", "grader", "--auth=trust"], check=True, cwd=place,
                   capture_output=True)  # fmt: skip
    process = subprocess.Popen([*other, f"{PROGRAMS}/postgres", "-D", data, "-p", str(port), "-k", place,
                                "-c", "listen_addresses=127.0.0.1"], cwd=place, stderr=subprocess.DEVNULL)  # fmt: skip
    url = f"127.0.0.1:{port}"
    try:
        for _ in range(200):
            ready = [f"{PROGRAMS}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            if subprocess.run(ready).returncode == 0:
                break
            time.sleep(0.1)
        yield lambda name: _database(url, name)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(place)


def _database(address, name):
    host, port = address.split(":")
    subprocess.run([f"{PROGRAMS}/createdb", "-h", host, "-p", port, "-U", "grader", name], check=True)
    return f"postgresql+psycopg://grader@{address}/{name}"


@pytest.fixture(scope="module")
def halves(course, tmp_path_factory):
    """Two halves of a class, and the table of all of it by SQLite."""
    place = tmp_path_factory.mktemp("halves")
    answers = [DOUBLE, "def double(x):\n    return x"]
    for i in range(12):
        for folder in ("all", "even" if i % 2 else "odd"):
            hand_in(place / folder, **{f"student{i:02}": filled(course, f"{answers[i % 3 > 0]}\n# student{i:02}")})
    grade(course, place / "all", place / "whole")
    return place


def grader(course, submissions, output, url):
    command = [sys.executable, "-c", GRADE, str(course), str(submissions), str(output), url]
    return subprocess.Popen(command, cwd=Path(__file__).parents[1], stderr=subprocess.PIPE, text=True)


def test_it_holds_what_sqlite_holds(course, halves, server, tmp_path):
    grade(course, halves / "all", tmp_path / "out", database=server("one"))
    assert hashes(tmp_path / "out") == hashes(halves / "whole")


def test_two_graders_at_once_lose_nothing(course, halves, server, tmp_path):
    url = server("two")
    graders = [grader(course, halves / half, tmp_path / half, url) for half in ("even", "odd")]
    for each in graders:
        _, said = each.communicate(timeout=300)
        assert each.returncode == 0, said
    rows = table(tmp_path / "even") | table(tmp_path / "odd")
    assert rows == table(halves / "whole")
    grade(course, halves / "all", tmp_path / "again", database=url)
    assert table(tmp_path / "again") == rows


def test_a_grader_killed_in_between_loses_nothing(course, halves, server, tmp_path):
    url = server("three")
    first = grader(course, halves / "all", tmp_path / "out", url)
    while not (tmp_path / "out" / "01-small" / "records").exists():
        assert first.poll() is None
        time.sleep(0.02)
    time.sleep(1.0)
    first.kill()
    first.wait()
    second = grader(course, halves / "even", tmp_path / "other", url)
    grade(course, halves / "all", tmp_path / "out", database=url)
    assert second.wait(300) == 0
    assert table(tmp_path / "out") == table(halves / "whole")
