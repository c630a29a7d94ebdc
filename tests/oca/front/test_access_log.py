"""The access log keeps every line it can, and never an answer waits for it."""

import json
from types import SimpleNamespace

from oca.front.access_log import AccessLog


def connection(status=200, path=b"/s/a/b/c"):
    return SimpleNamespace(peer="192.0.2.7", path=path, status=status)


def log_at(path, **options):
    return AccessLog(path, now=lambda: 1000.5, **({"rotate_bytes": 1_000_000, "keep": 2, "sample": 1.0} | options))


def test_each_answer_is_one_line_of_json(tmp_path):
    log = log_at(tmp_path / "a.jsonl")
    log.add(connection(path=b'/s/a"b\xff'), 65536, 0.0125)
    log.close()
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": 1000.5, "client": "192.0.2.7", "path": '/s/a"bÿ', "status": 200, "bytes": 65536, "ms": 12.5,
    }  # fmt: skip


def test_files_are_rotated_and_the_oldest_goes(tmp_path):
    log = log_at(tmp_path / "a.jsonl", rotate_bytes=10)
    for status in range(200, 205):
        log.add(connection(status), 1, 0)
        log.tick()
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.jsonl.1", "a.jsonl.2"]
    assert '"status":204' in (tmp_path / "a.jsonl.1").read_text()


def test_sampling_keeps_every_error(tmp_path):
    log = log_at(tmp_path / "a.jsonl", sample=0.1)
    for number in range(100):
        log.add(connection(200 if number % 2 else 404), 1, 0)
    log.close()
    lines = [json.loads(line)["status"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert (lines.count(404), lines.count(200)) == (50, 5)


def test_a_log_that_cannot_be_written_loses_lines_and_counts_them(tmp_path):
    log = log_at(tmp_path / "missing" / "a.jsonl")
    log.add(connection(), 1, 0)
    log.tick()
    log.close()
    assert log.dropped == 1


def test_a_full_disk_costs_lines_only():
    log = log_at(__import__("pathlib").Path("/dev/full"))
    for _ in range(3):
        log.add(connection(), 1, 0)
        log.tick()
    log.close()
    assert log.dropped == 3
