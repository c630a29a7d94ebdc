"""An SVG bar chart of a comparison: CPU time per request, a panel for every cell, a bar for every server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.serve.report import Comparison, Row

PANEL_WIDTH = 360
BAR_HEIGHT = 16
BAR_GAP = 5
LABEL_WIDTH = 92
FIGURE_WIDTH = 92
TITLE_HEIGHT = 26
MARGIN = 16
COLUMNS = 3
OURS_COLOUR = "#c2410c"
THEIR_COLOUR = "#94a3b8"
INK = "#1e293b"


def svg(found: Comparison) -> str:
    """The document."""
    panels: dict[str, list[Row]] = {}
    for row in found.rows:
        panels.setdefault(row.cell, []).append(row)
    most = max((len(rows) for rows in panels.values()), default=0)
    height = TITLE_HEIGHT + most * (BAR_HEIGHT + BAR_GAP) + MARGIN
    lines = -(-len(panels) // COLUMNS)
    parts = [_text(MARGIN, MARGIN + 8, "Server CPU time per request, µs (shorter is better)", size=15, weight="bold")]
    for number, (title, rows) in enumerate(panels.items()):
        x = MARGIN + number % COLUMNS * (PANEL_WIDTH + MARGIN)
        y = 2 * MARGIN + TITLE_HEIGHT + number // COLUMNS * height
        parts += _panel(x, y, title, rows)
    note = f"{found.machine.processor}, Linux {found.machine.kernel}"
    if found.machine.disturbed:
        note += "; the machine was busy with other work"
    total_height = 3 * MARGIN + TITLE_HEIGHT + lines * height
    parts.append(_text(MARGIN, total_height - 8, note, size=11))
    width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total_height}" '
        f'viewBox="0 0 {width} {total_height}" font-family="system-ui, sans-serif" fill="{INK}">\n'
        f'<rect width="{width}" height="{total_height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def bar_length(value: float, longest: float) -> float:
    """The bar of `value` where that of `longest` fills the room.

    >>> bar_length(5.0, 10.0)
    88.0
    """
    return round((PANEL_WIDTH - LABEL_WIDTH - FIGURE_WIDTH) * value / longest, 1) if longest > 0 else 0.0


def _panel(x: int, y: int, title: str, rows: Sequence[Row]) -> list[str]:
    longest = max(row.cpu_us_per_request for row in rows)
    parts = [_text(x, y + 12, title, size=12, weight="bold")]
    for number, row in enumerate(rows):
        top = y + TITLE_HEIGHT - 6 + number * (BAR_HEIGHT + BAR_GAP)
        length = bar_length(row.cpu_us_per_request, longest)
        colour = OURS_COLOUR if number == 0 and row.server == "oca" else THEIR_COLOUR
        parts.append(_text(x, top + 12, row.server, size=11))
        parts.append(f'<rect x="{x + LABEL_WIDTH}" y="{top}" width="{length}" height="{BAR_HEIGHT}" fill="{colour}"/>')
        parts.append(_text(x + LABEL_WIDTH + length + 5, top + 12, f"{row.cpu_us_per_request:,.1f}", size=11))
    return parts


def _text(x: float, y: float, words: str, *, size: int, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}">{escape(words)}</text>'
