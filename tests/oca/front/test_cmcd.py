"""CMCD: examples of the standard, what players write, and what nobody should."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front import cmcd
from oca.front.cmcd import Cmcd, Reader, from_headers, from_query, pairs, strip_query
from oca.front.request import parse_head

integers = st.integers(0, 10**cmcd.DIGITS_LIMIT - 1)
texts = st.text('abcXYZ019-./%:,="\\ ;', min_size=1, max_size=cmcd.TEXT_LIMIT)
told = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("br", "bl", "d", "dl", "mtp", "rtp", "tb"), integers),
        **dict.fromkeys(("bs", "su"), st.just(True)),
        **dict.fromkeys(("cid", "sid", "nor", "nrr"), texts),
        "ot": st.sampled_from(["m", "a", "v", "av", "i", "c", "tt", "k", "o"]),
        "sf": st.sampled_from(["d", "h", "s", "o"]),
        "st": st.sampled_from(["v", "l"]),
        "pr": st.sampled_from([0.0, 0.5, 1.25, 2.0]),
        "v": st.integers(1, 9),
    },
)
FIELD_OF = {
    **dict.fromkeys(("br", "d", "ot", "tb"), b"cmcd-object"),
    **dict.fromkeys(("bl", "dl", "mtp", "nor", "nrr", "su"), b"cmcd-request"),
    **dict.fromkeys(("cid", "pr", "sf", "sid", "st", "v"), b"cmcd-session"),
    **dict.fromkeys(("bs", "rtp"), b"cmcd-status"),
}


def written(key, value):
    if value is True:
        return key
    if isinstance(value, str) and key in {"cid", "sid", "nor", "nrr"}:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{key}="{escaped}"'
    return f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"


def headers_of(values, order=sorted):
    fields = {}
    for key in order(values):
        fields.setdefault(FIELD_OF[key], []).append(written(key, values[key]))
    return {name: ",".join(parts).encode() for name, parts in fields.items()}


@given(told)
def test_headers_in_the_recommended_order_are_read_back(values):
    read = from_headers(headers_of(values))
    assert read == (Cmcd(**values) if values else None)


@settings(max_examples=50)
@given(told, st.randoms())
def test_headers_in_any_order_are_read_back(values, random):
    def shuffled(keys):
        keys = list(keys)
        random.shuffle(keys)
        return keys

    assert from_headers(headers_of(values, shuffled)) == (Cmcd(**values) if values else None)


@settings(max_examples=50)
@given(told)
def test_the_query_parameter_says_the_same_as_the_headers(values):
    text = ",".join(written(key, values[key]) for key in sorted(values))
    query = f"a=1&CMCD={quote(text, safe='')}&b=2".encode()
    if len(text) <= cmcd.FIELD_LIMIT:
        assert from_query(query) == Cmcd(**values)


@settings(max_examples=50)
@given(st.lists(told, min_size=1, max_size=5))
def test_a_reader_says_of_each_request_what_a_fresh_one_would(requests):
    reader = Reader()
    for values in requests:
        headers = headers_of(values)
        assert reader.read(headers) == from_headers(headers)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(sorted(set(FIELD_OF.values()))), st.binary(max_size=300)))
def test_no_field_crashes_the_reader(headers):
    read = Reader().read(headers)
    assert (read is None) == (not headers)
    assert read is None or len(read.other) <= 4 * cmcd.OTHER_LIMIT


@given(st.text('brblsucid=",;() \\019az-', max_size=200))
def test_the_two_ways_of_reading_agree_on_every_field(text):
    for field in cmcd._FIELDS:
        plain = field.plain(text.encode())
        if plain is not None:
            tolerant = Cmcd(**pairs(text.encode()))
            assert all(
                getattr(tolerant, name) == (value if value is not None else getattr(Cmcd(), name))
                for name, value in zip(field.names, plain, strict=True)
            )


@given(st.binary(max_size=300))
def test_no_query_crashes_the_reader(query):
    from_query(b"CMCD=" + query)
    from_query(query)
    assert b"CMCD=" not in strip_query(b"CMCD=" + query).split(b"&")[0]


@given(st.lists(st.sampled_from([b"a=1", b"CMCD=br%3D1", b"b", b"CMCDx=1", b"xCMCD=2", b"CMCD"]), max_size=6))
def test_stripping_takes_the_parameter_and_nothing_else(parts):
    kept = [part for part in parts if part.partition(b"=")[0] != b"CMCD"]
    assert strip_query(b"&".join(parts)) == b"&".join(kept)


def test_field_names_are_found_in_any_case():
    head = b"GET /s/a/b/c HTTP/1.1\r\nHost: x\r\ncMcD-OBJECT: br=3200\r\nCMCD-Request: su\r\n\r\n"
    read = from_headers(parse_head(head, field_limit=10).headers)
    assert (read.br, read.su) == (3200, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"br=x,tb=6000", {"tb": 6000}),
        (b"br=,tb=6000", {"tb": 6000}),
        (b"br=-1,bl=1.5,su", {"su": True}),
        (b" br=1 , su ", {"br": 1, "su": True}),
        (b"ot=zz,st=v", {"st": "v"}),
        (b'cid="a,su,b",bs', {"cid": "a,su,b", "bs": True}),
        (b'cid="never closed,su', {}),
        (b'cid=unquoted,sid=""', {}),
        (b"su=?0,bs=?1", {"su": False, "bs": True}),
        (b"br=" + b"9" * 13, {}),
        (b"br=1,br=2", {"br": 2}),
        (b'br=(5000;v 128;a),nor=("a.m4s" "b.m4s")', {"br": 5000, "nor": "a.m4s"}),
        (b'com.example-x="1,2",br=1', {"br": 1, "other": {"com.example-x": '"1,2"'}}),
        (b"BR=1", {}),
        (b"x" * 5000, {}),
    ],
)
def test_what_is_malformed_is_dropped_and_the_rest_is_kept(text, expected):
    assert pairs(text) == expected


def test_long_names_and_many_unknown_keys_are_bounded():
    assert Cmcd(**pairs(b'cid="' + b"a" * 65 + b'"')).cid is None
    many = b",".join(b"x%d-y=1" % number for number in range(100))
    assert len(Cmcd(**pairs(many)).other) == cmcd.OTHER_LIMIT


def test_a_field_that_is_gone_is_not_remembered():
    reader = Reader()
    reader.read({b"cmcd-request": b"su", b"cmcd-object": b"br=1"})
    assert reader.read({b"cmcd-object": b"br=1"}) == Cmcd(br=1)
    assert reader.read({}) is None
