"""Who is left alone for a while."""

from control.wire import Source
from oca.upstream.faults import AbsentError, LyingError, UnavailableError
from oca.upstream.trust import Trust


def trust():
    return Trust(distrust_s=300.0, backoff_s=1.0, limit=4)


def test_a_liar_is_left_alone_for_long_and_the_unreachable_for_a_moment():
    made = trust()
    made.note(LyingError("liar", "wrong bytes"), 0.0)
    made.note(UnavailableError("dead", "refused"), 0.0)
    made.note(AbsentError("empty", "404"), 0.0)
    assert [bool(made.against(name, 0.5)) for name in ("liar", "dead", "empty")] == [True, True, False]
    assert [bool(made.against(name, 1.5)) for name in ("liar", "dead", "empty")] == [True, False, False]
    assert not made.against("liar", 300.0)


def test_being_unreachable_does_not_shorten_the_distrust_of_a_liar():
    made = trust()
    made.note(LyingError("liar", "wrong bytes"), 0.0)
    made.note(UnavailableError("liar", "refused"), 1.0)
    assert made.against("liar", 200.0) == "wrong bytes"


def test_who_delivers_is_trusted_again():
    made = trust()
    made.note(UnavailableError("b2", "refused"), 0.0)
    made.clear("b2")
    assert not made.against("b2", 0.1)


def test_sifting_says_who_may_be_asked_and_why_the_others_not():
    made = trust()
    made.note(UnavailableError("b2", "refused"), 0.0)
    sources = [Source(kind="peer", name=name, url="http://x") for name in ("b2", "c3")]
    may, held = made.sift(sources, 0.5)
    assert [source.name for source in may] == ["c3"]
    assert held == ["b2: refused"]


def test_it_does_not_grow_with_names():
    made = trust()
    for number in range(1000):
        made.note(UnavailableError(f"s{number}", "refused"), float(number))
    assert repr(made) <= "<Trust: 5"
