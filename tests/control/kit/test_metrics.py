"""Typed tables of metrics."""

from __future__ import annotations

import pytest

from control.kit.metrics import Meter, Metric

TABLE = (
    Metric("oca_x_total", "counter", "Things", ("kind",)),
    Metric("oca_x_now", "gauge", "Things now"),
    Metric("oca_x_seconds", "histogram", "Time of a thing", buckets=(0.1, 1.0)),
)


def test_counts_are_rendered_in_the_text_format() -> None:
    meter = Meter(TABLE)
    meter.inc("oca_x_total", kind="a")
    meter.inc("oca_x_total", 2, kind="a")
    meter.set("oca_x_now", 7)
    meter.observe("oca_x_seconds", 0.5)
    text = meter.render().decode()
    for line in (
        'oca_x_total{kind="a"} 3.0',
        "oca_x_now 7.0",
        'oca_x_seconds_bucket{le="1.0"} 1.0',
        "# HELP oca_x_now Things now",
    ):
        assert line in text


def test_values_can_be_asked_for_and_unseen_labels_are_zero() -> None:
    meter = Meter(TABLE)
    meter.inc("oca_x_total", 4, kind="a")
    assert (meter.value("oca_x_total", kind="a"), meter.value("oca_x_total", kind="b")) == (4.0, 0.0)


def test_a_metric_that_is_not_in_the_table_is_our_bug() -> None:
    with pytest.raises(KeyError, match="oca_y_total"):
        Meter(TABLE).inc("oca_y_total")


def test_a_metric_used_as_another_kind_is_our_bug() -> None:
    meter = Meter(TABLE)
    with pytest.raises(AssertionError, match="oca_x_now is not a counter"):
        meter.inc("oca_x_now")
    with pytest.raises(AssertionError, match="oca_x_total is not a gauge"):
        meter.set("oca_x_total", 1)
    with pytest.raises(AssertionError, match="oca_x_now is not a histogram"):
        meter.observe("oca_x_now", 1)


def test_a_counter_must_be_named_a_total() -> None:
    with pytest.raises(AssertionError, match="must end in _total"):
        Meter([Metric("oca_x", "counter", "Things")])
