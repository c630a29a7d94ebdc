"""What the origin counts."""

from __future__ import annotations

from control.kit.http import METRICS as HTTP_METRICS
from control.kit.metrics import Metric

METRICS = (
    *HTTP_METRICS,
    Metric(
        "oca_origin_bytes_total",
        "counter",
        "Body bytes of objects sent, by title and requester",
        ("title", "requester"),
    ),
    Metric(
        "oca_origin_objects_total",
        "counter",
        "Requests for objects that are here, by title and requester",
        ("title", "requester"),
    ),
    Metric("oca_origin_cut_off_total", "counter", "Responses that ended before their last byte, by cause", ("cause",)),
    Metric("oca_origin_titles_unreadable", "gauge", "Titles left out of the catalog because their file is damaged"),
)
