"""What a listing asks for, and what it is not believed to ask for."""

from hypothesis import given
from hypothesis import strategies as st

from control.catalog.changes import WITHDRAW_FEW, WITHDRAW_SHARE, changes

CATALOGS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.sampled_from("12"), max_size=12)


@given(known=CATALOGS, listed=CATALOGS)
def test_following_a_listing_brings_the_catalog_to_it_but_for_what_is_missing(known, listed):
    todo = changes(known, listed, {}, now=0.0)
    after = {title: digest for title, digest in known.items() if title not in todo.withdraw}
    after |= {title: listed[title] for title in todo.take}
    assert after == listed | {title: known[title] for title in todo.missing}
    assert not (set(todo.withdraw) & set(listed))
    assert changes(after, listed, {}, now=0.0).take == ()


@given(known=CATALOGS, listed=CATALOGS)
def test_a_catalog_is_never_lost_at_once(known, listed):
    todo = changes(known, listed, {}, now=0.0)
    assert len(todo.withdraw) <= max(WITHDRAW_FEW, WITHDRAW_SHARE * len(known))
    assert listed or not todo.withdraw


def test_a_refused_title_waits_unless_it_changed():
    refused = {"a": ("1", 60.0)}
    assert changes({}, {"a": "1"}, refused, now=59.0).take == ()
    assert changes({}, {"a": "1"}, refused, now=60.0).take == ("a",)
    assert changes({}, {"a": "2"}, refused, now=0.0).take == ("a",)
