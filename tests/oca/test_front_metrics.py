"""What workers count is what the appliance's metric table has."""

from oca.front.counters import Counters
from oca.metrics import FRONT

EXTRA = {"oca_front_cold_reads_total", "oca_front_log_lines_dropped_total"}


def test_every_counter_of_a_worker_is_in_the_table():
    known = {row.name for row in FRONT}
    counted = {name.partition(":")[0] for name in Counters().totals()} | EXTRA
    assert counted <= known
