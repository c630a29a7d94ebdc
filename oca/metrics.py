"""Every metric of the appliance: one typed row each.

`FRONT` are counted by front workers and reported to the keeper as totals by name; the keeper adds the
workers up, those that have died included. `TABLE` is what the keeper's `/metrics` shows.
"""

from __future__ import annotations

from control.kit import http
from control.kit.metrics import Metric

FRONT = (
    Metric("oca_front_requests_total", "counter", "Requests answered by front workers"),
    Metric("oca_front_hits_total", "counter", "Segments served from a whole object on a disk"),
    Metric("oca_front_misses_total", "counter", "Segment requests for which the keeper was asked"),
    Metric("oca_front_sent_bytes_total", "counter", "Bytes of bodies sent to players and peers"),
    Metric("oca_front_responses_total", "counter", "Responses, by status", ("status",)),
    Metric("oca_front_aborted_total", "counter", "Connections that ended in the middle of a response"),
    Metric("oca_front_bad_requests_total", "counter", "Requests that were not HTTP as it should be"),
    Metric("oca_front_timeouts_total", "counter", "Connections closed for being idle or too slow"),
    Metric("oca_front_connections_accepted_total", "counter", "Connections accepted"),
    Metric("oca_front_connections_refused_total", "counter", "Connections refused at the limit"),
    Metric("oca_front_cold_reads_total", "counter", "Slices read into memory by a thread before they were sent"),
    Metric("oca_front_log_lines_dropped_total", "counter", "Access log lines that could not be written"),
    Metric("oca_front_hinted_total", "counter", "Objects fetched because a player announced them (CMCD nor)"),
    Metric("oca_front_tls_handshakes_total", "counter", "TLS handshakes completed"),
    Metric("oca_front_tls_handshakes_failed_total", "counter", "TLS handshakes that failed"),
    Metric("oca_front_tls_resumed_total", "counter", "TLS handshakes that resumed a session"),
    Metric("oca_front_tls_kernel_total", "counter", "TLS connections that the kernel encrypts"),
)
"""A counter with a label is reported as `name:value`."""

TABLE = (
    *http.METRICS,
    *FRONT,
    Metric("oca_workers_ready", "gauge", "Front workers connected to the keeper"),
    Metric("oca_workers_cut_total", "counter", "Worker connections cut for not reading or for nonsense"),
    Metric("oca_front_connections", "gauge", "Connections open at all workers"),
    Metric("oca_egress_bits_per_second", "gauge", "Bits of bodies sent per second, over the last seconds"),
    Metric("oca_disk_state", "gauge", "1 for the state that a disk is in", ("disk", "state")),
    Metric("oca_disk_used_bytes", "gauge", "Bytes of objects and indexes on a disk", ("disk",)),
    Metric("oca_disk_capacity_bytes", "gauge", "Bytes that a disk may hold", ("disk",)),
    Metric("oca_store_renditions", "gauge", "Renditions of which anything is held"),
    Metric("oca_store_evicted_bytes_total", "counter", "Bytes removed, by why", ("reason",)),
    Metric("oca_store_stored_bytes_total", "counter", "Bytes of objects made durable"),
    Metric("oca_miss_wants_total", "counter", "Objects that workers asked for, by outcome", ("outcome",)),
    Metric("oca_upstream_bytes_total", "counter", "Bytes fetched, by kind of source", ("kind",)),
    Metric("oca_upstream_failures_total", "counter", "Sources that did not deliver, by kind of failure", ("kind",)),
    Metric("oca_upstream_joined_total", "counter", "Askers who joined a fetch that was under way"),
    Metric("oca_upstream_flights", "gauge", "Objects being fetched"),
    Metric("oca_fill_bytes_total", "counter", "Bytes fetched for a plan, by source", ("source",)),
    Metric("oca_fill_objects_total", "counter", "Objects fetched for a plan"),
    Metric("oca_fill_failures_total", "counter", "Fetches for a plan that failed and are tried again"),
    Metric("oca_fill_missing_objects", "gauge", "Objects of the plan that are not held yet"),
    Metric("oca_beacon_sent_total", "counter", "Reports taken by steering or fill, by message", ("message",)),
    Metric("oca_beacon_failed_total", "counter", "Reports that could not be delivered, by message", ("message",)),
    Metric("oca_draining", "gauge", "1 while the appliance is taken out of steering"),
)
