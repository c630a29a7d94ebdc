"""What appliances hold, kept in step with their inventories."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import Inventory
from steering.holdings import Holdings, TitleSizes

Make = Callable[..., Inventory]

ROW = st.tuples(st.sampled_from(["t1", "t2"]), st.sampled_from(["v1", "v2"]), st.integers(0, 4))
STEP = st.tuples(st.sampled_from([0, 1, 2]), st.booleans(), st.lists(ROW, max_size=4), st.lists(ROW, max_size=2))


@settings(deadline=None)
@given(st.lists(STEP, max_size=12))
def test_deltas_and_full_inventories_add_up_to_what_is_held(
    inventory: Make, steps: list[tuple[int, bool, list, list]]
) -> None:
    sizes = TitleSizes()
    boxes = [Holdings(sizes) for _ in range(3)]
    truths: list[dict[tuple[str, str], int]] = [{}, {}, {}]
    for sequence, (box, wanted, held, gone) in enumerate(steps):
        full = wanted or boxes[box].marker is None
        last = boxes[box].marker
        message = inventory(
            f"a{box}",
            *((title, rendition, objects, 4) for title, rendition, objects in held),
            full=full,
            sequence=last[1] + 1 if last else sequence,
            gone=() if full else tuple((title, rendition) for title, rendition, _ in gone),
        )
        assert boxes[box].apply(message) == "take"
        truth = {} if full else truths[box]
        for title, rendition, _ in [] if full else gone:
            truth.pop((title, rendition), None)
        for title, rendition, objects in held:
            truth[title, rendition] = objects
        truths[box] = {key: objects for key, objects in truth.items() if objects}
    for title in ("t1", "t2"):
        known = {rendition for truth in truths for (name, rendition) in truth if name == title}
        assert sizes.renditions(title) == len(known)
        for box, truth in zip(boxes, truths, strict=True):
            mine = sum(objects for (name, _), objects in truth.items() if name == title)
            assert box.share(title) == pytest.approx(mine / (4 * len(known)) if known else 0.0)
    for box, truth in zip(boxes, truths, strict=True):
        assert (box.renditions, box.bytes_held) == (len(truth), 100 * sum(truth.values()))
        box.clear()
    assert not sizes.objects("t1")
    assert not sizes.objects("t2")


def test_a_title_is_complete_only_when_every_rendition_known_anywhere_is_held(inventory: Make) -> None:
    sizes = TitleSizes()
    one, two = Holdings(sizes), Holdings(sizes)
    one.apply(inventory("a1", ("t", "v1", 4, 4)))
    assert one.share("t") == 1
    two.apply(inventory("a2", ("t", "v1", 4, 4), ("t", "v2", 4, 4)))
    assert (one.share("t"), two.share("t")) == (0.5, 1)
    two.clear()
    assert one.share("t") == 1


def test_a_lost_delta_is_noticed_and_a_full_inventory_mends_it(inventory: Make) -> None:
    box = Holdings(TitleSizes())
    assert box.apply(inventory("a1", ("t", "v", 1, 4), full=False)) == "gap"
    assert box.apply(inventory("a1", ("t", "v", 1, 4))) == "take"
    assert box.apply(inventory("a1", ("t", "v", 3, 4), full=False, sequence=3)) == "gap"
    assert box.share("t") == 0.25
    assert box.apply(inventory("a1", ("t", "v", 4, 4), sequence=4)) == "take"
    assert box.apply(inventory("a1", ("t", "v", 1, 4), sequence=3)) == "stale"
    assert box.share("t") == 1
