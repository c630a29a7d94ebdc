"""What a worker counts: plain integers on the hot path, sent to the keeper every second.

Nothing here knows the keeper or Prometheus; the names are those of the appliance's metric table.
"""

from __future__ import annotations

from oca.front.table import Entry
from oca.link.messages import ServedRow


class Counters:
    """Totals since the worker started, and the entries served since the last report."""

    __slots__ = tuple(
        "aborted accepted bad_requests by_status fetched handshakes handshakes_failed hinted kernel_tls misses refused "
        "resumed sent_bytes served timeouts touched".split()
    )

    def __init__(self) -> None:
        self.accepted = 0
        self.refused = 0
        self.misses = 0
        self.fetched = 0
        self.served = 0
        self.sent_bytes = 0
        self.handshakes = 0
        self.handshakes_failed = 0
        self.resumed = 0
        self.hinted = 0
        self.kernel_tls = 0
        self.aborted = 0
        self.timeouts = 0
        self.bad_requests = 0
        self.by_status: dict[int, int] = {200: 0, 206: 0}
        self.touched: list[Entry] = []

    def count_status(self, status: int) -> None:
        """One more response with `status`."""
        self.by_status[status] = self.by_status.get(status, 0) + 1

    def totals(self) -> dict[str, float]:
        """Every total by metric name; responses by status as `oca_front_responses_total:404`."""
        totals: dict[str, float] = {
            "oca_front_connections_accepted_total": self.accepted,
            "oca_front_connections_refused_total": self.refused,
            "oca_front_requests_total": sum(self.by_status.values()),
            "oca_front_hits_total": self.served - self.fetched,
            "oca_front_misses_total": self.misses,
            "oca_front_sent_bytes_total": self.sent_bytes,
            "oca_front_tls_handshakes_total": self.handshakes,
            "oca_front_tls_handshakes_failed_total": self.handshakes_failed,
            "oca_front_tls_resumed_total": self.resumed,
            "oca_front_tls_kernel_total": self.kernel_tls,
            "oca_front_hinted_total": self.hinted,
            "oca_front_aborted_total": self.aborted,
            "oca_front_timeouts_total": self.timeouts,
            "oca_front_bad_requests_total": self.bad_requests,
        }
        for status, count in self.by_status.items():
            totals[f"oca_front_responses_total:{status}"] = count
        return totals

    def take_rows(self) -> tuple[ServedRow, ...]:
        """What was served per rendition since the last call."""
        renditions: dict[tuple[str, str], tuple[list[int], dict[str, int]]] = {}
        for entry in self.touched:
            title, rendition, name = entry.key.split("/")
            sums, objects = renditions.setdefault((title, rendition), ([0, 0], {}))
            sums[0] += entry.requests
            sums[1] += entry.sent_bytes
            self.served += entry.requests
            self.sent_bytes += entry.sent_bytes
            objects[name] = objects.get(name, 0) + entry.requests
            entry.served += entry.requests
            entry.requests = entry.sent_bytes = 0
        self.touched = []
        return tuple(
            ServedRow(title, rendition, sums[0], sums[1], objects)
            for (title, rendition), (sums, objects) in renditions.items()
        )
