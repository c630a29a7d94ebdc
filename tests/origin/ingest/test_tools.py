from __future__ import annotations

import sys
import time

import pytest

from origin.ingest import tools
from origin.ingest.errors import ToolError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_is_returned_or_given_line_by_line() -> None:
    lines: list[str] = []
    assert tools.run(python("print('a'); print('b')"), timeout_s=30) == "a\nb\n"
    assert tools.run(python("print('a'); print('b')"), timeout_s=30, on_line=lines.append) == ""
    assert lines == ["a", "b"]


def test_a_failure_carries_the_last_words_without_addresses() -> None:
    with pytest.raises(ToolError, match=r"failed with status 3: it broke$"):
        tools.run(python("import sys; print('[mov @ 0x7f00ab] it broke', file=sys.stderr); sys.exit(3)"), timeout_s=30)


def test_a_program_that_takes_too_long_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match="stopped after 0 s"):
        tools.run(python("import time; time.sleep(60)"), timeout_s=0.3)
    assert time.monotonic() - started < 20


def test_a_program_that_writes_much_to_standard_error_does_not_block() -> None:
    assert tools.run(python("import sys; sys.stderr.write('x' * 1000000); print('done')"), timeout_s=30) == "done\n"


def test_a_program_is_stopped_when_its_reader_gives_up() -> None:
    def give_up(_: str) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        tools.run(python("import time; print(1, flush=True); time.sleep(60)"), timeout_s=50, on_line=give_up)
    assert time.monotonic() - started < 20


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolError, match="nothing cannot be started: No such file"):
        tools.run(["/there/is/nothing"], timeout_s=5)


def test_all_our_programs_are_installed() -> None:
    for path in (tools.ffmpeg(), tools.ffprobe(), tools.packager()):
        assert path.startswith("/")
