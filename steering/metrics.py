"""What steering counts."""

from __future__ import annotations

from control.kit.http import METRICS as HTTP_METRICS
from control.kit.metrics import Metric

METRICS = (
    *HTTP_METRICS,
    Metric("oca_steering_appliances", "gauge", "Appliances in the view, by standing", ("standing",)),
    Metric("oca_steering_heartbeats_total", "counter", "Heartbeats, by what became of them", ("outcome",)),
    Metric("oca_steering_inventories_total", "counter", "Inventories, by what became of them", ("outcome",)),
    Metric("oca_steering_probes_total", "counter", "Probes of appliances, by outcome", ("outcome",)),
    Metric("oca_steering_probe_seconds", "histogram", "Time of successful probes"),
    Metric("oca_steering_transitions_total", "counter", "Changes of an appliance's health, by what it became", ("to",)),
    Metric("oca_steering_decisions_total", "counter", "Decisions, by the kind of their first pathway", ("first",)),
    Metric("oca_steering_degraded_total", "counter", "Decisions with the short time to live"),
    Metric("oca_steering_manifests_total", "counter", "Steering manifests, by the player's protocol", ("protocol",)),
    Metric("oca_steering_moves_total", "counter", "Players told to leave the pathway they said they use"),
)
