"""What the planner counts."""

from __future__ import annotations

from control.kit.http import METRICS as HTTP_METRICS
from control.kit.metrics import Metric

METRICS = (
    *HTTP_METRICS,
    Metric("oca_fill_appliances", "gauge", "Appliances: all known, and those heard lately (live)", ("kind",)),
    Metric("oca_fill_titles", "gauge", "Titles in the catalog as last seen"),
    Metric("oca_fill_reports_total", "counter", "Reports by kind and what became of them", ("kind", "outcome")),
    Metric("oca_fill_rounds_total", "counter", "Planning rounds, by what they were", ("kind",)),
    Metric("oca_fill_round_seconds", "histogram", "Time of a planning round"),
    Metric("oca_fill_plans_total", "counter", "Plans made, by whether they replaced the one before", ("outcome",)),
    Metric("oca_fill_planned_bytes", "gauge", "Bytes that an appliance should hold", ("appliance",)),
    Metric(
        "oca_fill_missing_bytes", "gauge", "Bytes of its plan that an appliance had not fetched yet", ("appliance",)
    ),
    Metric("oca_fill_fetched_bytes_total", "counter", "Bytes that appliances fetched by plan", ("kind",)),
    Metric("oca_fill_catalog_failures_total", "counter", "Times that control did not give its catalog"),
)
