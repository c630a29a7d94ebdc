"""Structured logs: one JSON object a line on standard error, an event name and key-values.

Logs are written at changes of state, not as narration; `log.info("disk_failed", disk="d1", error=…)`.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(*, process: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Set the process's logging up. `process` is bound to every line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, stream=stream or sys.stderr, format="%(name)s: %(message)s")


def get_logger(**bound: object) -> FilteringBoundLogger:
    """A logger with `bound` on every line."""
    return cast(FilteringBoundLogger, structlog.get_logger(**bound))
