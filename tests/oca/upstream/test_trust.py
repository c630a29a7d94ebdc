"""Who is left alone for a while, and for what."""

from control.wire import Source
from oca.store.layout import RenditionKey
from oca.upstream.faults import AbsentError, BrokenError, LyingError, UnreachableError
from oca.upstream.trust import MARKS_KEPT, Trust

PEER = Source(kind="peer", name="b2", url="http://b2")
ORIGIN = Source(kind="cache", name="origin", url="http://o")
FILMS = [RenditionKey(f"film-{number}", "v") for number in range(5)]


def trust():
    return Trust(distrust_s=300.0, backoff_s=1.0)


def left_alone(made, source, now, films=FILMS):
    return [bool(made.against(source.name, film, now)) for film in films]


def test_the_unreachable_is_left_alone_for_a_moment_and_altogether():
    made = trust()
    made.note(ORIGIN, FILMS[0], UnreachableError("origin", "refused"), 0.0)
    assert all(left_alone(made, ORIGIN, 0.9))
    assert not any(left_alone(made, ORIGIN, 1.0))


def test_an_error_about_one_object_says_nothing_of_others():
    made = trust()
    for fault in (BrokenError("origin", "500"), AbsentError("origin", "404")):
        made.note(ORIGIN, FILMS[0], fault, 0.0)
    assert not any(left_alone(made, ORIGIN, 0.1))


def test_a_peer_that_lies_is_left_alone_altogether():
    made = trust()
    made.note(PEER, FILMS[0], LyingError("b2", "wrong bytes"), 0.0)
    assert all(left_alone(made, PEER, 299.0))
    assert not any(left_alone(made, PEER, 300.0))


def test_an_origin_that_lies_is_left_alone_for_that_rendition_until_it_lies_about_several():
    made = trust()
    for now, film in enumerate(FILMS[:2]):
        made.note(ORIGIN, film, LyingError("origin", "wrong bytes"), float(now))
    assert left_alone(made, ORIGIN, 2.0) == [True, True, False, False, False]
    made.note(ORIGIN, FILMS[2], LyingError("origin", "wrong bytes"), 2.0)
    assert all(left_alone(made, ORIGIN, 3.0))


def test_being_unreachable_does_not_shorten_the_distrust_of_a_liar():
    made = trust()
    made.note(PEER, FILMS[0], LyingError("b2", "wrong bytes"), 0.0)
    made.note(PEER, FILMS[0], UnreachableError("b2", "refused"), 1.0)
    assert made.against("b2", FILMS[1], 200.0) == "wrong bytes"


def test_sifting_says_who_may_be_asked_and_why_the_others_not():
    made = trust()
    made.note(PEER, FILMS[0], UnreachableError("b2", "refused"), 0.0)
    may, held = made.sift([PEER, ORIGIN], FILMS[1], 0.5)
    assert (may, held) == ([ORIGIN], ["b2: refused"])


def test_it_does_not_grow_with_what_is_asked():
    made = trust()
    for number in range(3 * MARKS_KEPT):
        source = Source(kind="peer", name=f"s{number}", url="http://x")
        made.note(source, FILMS[0], UnreachableError(source.name, "refused"), float(number))
    assert repr(made) == f"<Trust: {MARKS_KEPT} marks>"
