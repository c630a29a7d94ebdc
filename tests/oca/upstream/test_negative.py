"""Refusals that are remembered."""

from oca.store.layout import RenditionKey
from oca.upstream.faults import RefusedError
from oca.upstream.negative import Negative


def test_a_refusal_holds_for_a_while_and_only_so_many_are_kept():
    negative, refusal = Negative(ttl_s=5.0, entries=2), RefusedError(404, "unknown")
    keys = [RenditionKey(f"t{number}", "v") for number in range(3)]
    for now, key in enumerate(keys):
        negative.note(key, refusal, float(now))
    assert [negative.get(key, 5.5) for key in keys] == [None, refusal, refusal]
    assert negative.get(keys[1], 6.0) is None
    assert len(negative) == 1
    negative.forget(keys[2])
    assert len(negative) == 0
