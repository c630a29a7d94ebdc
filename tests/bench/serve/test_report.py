import xml.etree.ElementTree as ET
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.serve import chart, report
from bench.serve.accounting import Memory
from bench.serve.cells import Cell
from bench.serve.comparison import Entrant, Measure, ratios_of, row_of
from bench.serve.loads import IdleRow
from bench.serve.report import BRIEF_RATIO, BRIEF_ROW, Comparison, LeftOut, Machine, Row

MACHINE = Machine(
    processor="A & B <Xeon>",
    cores=2,
    kernel="6.1",
    congestion="cubic",
    network="own",
    load_before=9.0,
    load_after=9.0,
    steal_share=0.0,
    disturbed=True,
    versions={"oca": "1"},
)
CELL = Cell("http", 32, "hot", 65536)


class Named:
    def __init__(self, name):
        self.name = name


def measure(requests=100, cpu_us=20.0, failures=0):
    return Measure(
        requests=requests,
        bytes=requests * 1_000_000,
        seconds=2.0,
        cpu_ns=int(requests * cpu_us * 1000),
        client_s=1.0,
        ttfb_s=(0.001, 0.002, 0.003),
        failures=failures,
        memory=Memory(5_000_000, 3_000_000),
    )


class Cold:
    def __init__(self, share):
        self.share = share

    def still_warm(self):
        return self.share


def entrant(name, *measures, still_warm=None):
    return Entrant(Named(name), bytes, Cold(still_warm), list(measures))


def comparison(rows, ratios=()):
    return Comparison(rows=rows, ratios=list(ratios), left_out=[LeftOut("varnish", "as I say [so]")], machine=MACHINE)


def shown(found):
    out = StringIO()
    report.show(found, Console(file=out, width=120))
    return out.getvalue()


def test_a_row_is_the_median_of_its_rounds_and_the_sum_of_their_failures():
    row = row_of(CELL, entrant("oca", measure(cpu_us=20), measure(cpu_us=90, failures=2), measure(cpu_us=21)))
    assert row.cpu_us_per_request == 21
    assert row.failures == 2
    assert row.requests_per_s == 50
    assert row.gbit_per_s == pytest.approx(0.4)
    assert row.gbit_per_cpu_percent == pytest.approx(100e6 * 8 / 1e9 / (2.1e-3 * 100), rel=1e-3)
    assert (row.ttfb_p50_ms, row.ttfb_p99_ms, row.ttfb_p999_ms) == (1, 2, 3)
    assert (row.memory_bytes, row.memory_anonymous_bytes) == (5_000_000, 3_000_000)


def test_ratios_are_ours_to_each_peer_that_answered():
    found = ratios_of(CELL, {"oca": [measure(cpu_us=10)], "nginx": [measure(cpu_us=20)], "dead": [measure(requests=0)]})
    assert [(ratio.peer, ratio.cpu_ratio) for ratio in found] == [("nginx", 0.5)]
    assert ratios_of(CELL, {"nginx": [measure()]}) == []


def test_the_brief_form_has_exactly_the_promised_keys():
    measures = {"oca": [measure()], "nginx": [measure(cpu_us=40)]}
    found = comparison(
        [row_of(CELL, entrant(name, *each)) for name, each in measures.items()], ratios_of(CELL, measures)
    )
    brief = msgspec.json.decode(msgspec.json.encode(report.brief(found)))
    assert list(brief) == ["rows", "ratios", "machine"]
    assert [tuple(row) for row in brief["rows"]] == [BRIEF_ROW] * 2
    assert [tuple(ratio) for ratio in brief["ratios"]] == [BRIEF_RATIO]
    assert brief["ratios"][0]["cpu_ratio"] == 0.5
    assert brief["machine"]["disturbed"] is True


def test_the_table_tells_figures_what_was_left_out_and_that_the_machine_was_busy():
    row = row_of(CELL, entrant("oca", measure(cpu_us=1234.5, failures=7), still_warm=0.5))
    text = shown(comparison([row]))
    for words in ("http 64 KiB hot, 32 connections", "1,234.5", "Left out: varnish as I say [so].", "busy", "50% of"):
        assert words in text


def test_rows_of_any_kind_are_shown_with_all_their_fields():
    row = IdleRow(
        server="oca",
        scheme="http",
        connections=10,
        bytes_per_connection=1.5,
        memory_before_bytes=1,
        memory_after_bytes=16,
        failures=0,
    )
    out = StringIO()
    report.show_rows([row] * 7, Console(file=out, width=120))
    assert out.getvalue().count("bytes per connection") == 2
    assert out.getvalue().count("1.5") == 7


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(st.tuples(names, st.floats(0, 1e7)), min_size=1, max_size=8), st.integers(1, 7))
def test_the_chart_is_well_formed_and_has_a_bar_for_every_row(servers, cells):
    rows = [
        msgspec.structs.replace(
            row_of(Cell("http", 1 + cell, "hot", 65536), entrant(name, measure())), cpu_us_per_request=us
        )
        for cell in range(cells)
        for name, us in servers
    ]
    root = ET.fromstring(chart.svg(comparison(rows)))
    bars = root.findall("{http://www.w3.org/2000/svg}rect")[1:]
    assert len(bars) == len(rows)
    lengths = [float(bar.get("width")) for bar in bars]
    longest = max(us for _, us in servers)
    assert max(lengths) <= chart.bar_length(1.0, 1.0)
    assert (max(lengths) == chart.bar_length(1.0, 1.0)) == (longest > 0)


def test_a_chart_of_nothing_is_still_one():
    ET.fromstring(chart.svg(comparison([])))


def test_a_row_survives_its_json():
    row = row_of(CELL, entrant("oca", measure()))
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row
