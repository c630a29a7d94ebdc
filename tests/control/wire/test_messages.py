"""Every message survives the wire, says what is wrong with one that cannot, and has an example on disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from control.wire import MESSAGES, Heartbeat, Message, Position, SteeringManifest, Title, WireError, decode, encode
from control.wire.codec import MESSAGE_LIMIT_BYTES

EXAMPLES = Path(__file__).parent / "examples"
LARGEST = 2**63 - 1
each_message = pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)


def example_of(kind: type[Message]) -> Path:
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    return EXAMPLES / f"{words}.json"


def values(shape: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911, PLR0912 - one row per type
    """Any value that the annotated type admits, from msgspec's own reading of the annotation."""
    match shape:
        case inspect.Metadata():
            return values(shape.type)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType():
            return st.integers(shape.ge if shape.ge is not None else -LARGEST, LARGEST)
        case inspect.FloatType():
            return st.floats(shape.ge, None, allow_nan=False, allow_infinity=False)
        case inspect.StrType(pattern=str()):
            return st.from_regex(shape.pattern)
        case inspect.StrType():
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=shape.max_length)
        case inspect.BytesType():
            return st.binary(max_size=40)
        case inspect.LiteralType():
            return st.sampled_from(shape.values)
        case inspect.UnionType():
            return st.one_of([values(each) for each in shape.types])
        case inspect.VarTupleType():
            return st.lists(values(shape.item_type), min_size=shape.min_length or 0, max_size=3).map(tuple)
        case inspect.TupleType():
            return st.tuples(*(values(each) for each in shape.item_types))
        case inspect.DictType():
            return st.dictionaries(values(shape.key_type), values(shape.value_type), max_size=3)
        case inspect.StructType():
            return messages(shape.cls)
    raise AssertionError(f"no strategy for {shape}: add one")


def messages(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    fields = {field.name: values(field.type) for field in shape.fields if field.name != "version"}
    return st.builds(kind, **fields)


@each_message
def test_a_message_survives_the_wire(kind: type[Message]) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(messages(kind))
    def survives(message: Message) -> None:
        data = encode(message)
        assert decode(data, kind) == message
        assert encode(decode(data, kind)) == data

    survives()


@each_message
def test_the_example_on_disk_is_read_and_written_again_without_loss(kind: type[Message]) -> None:
    raw = example_of(kind).read_bytes()
    message = decode(raw, kind)
    assert json.loads(encode(message)) == json.loads(raw)


@each_message
def test_the_example_shows_every_field(kind: type[Message]) -> None:
    shown = json.loads(example_of(kind).read_bytes())
    assert set(shown) == {field.encode_name for field in msgspec.structs.fields(kind)}


def test_every_example_belongs_to_a_message() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {example_of(kind).name for kind in MESSAGES}


@each_message
def test_fields_from_a_newer_sender_are_ignored(kind: type[Message]) -> None:
    raw = json.loads(example_of(kind).read_bytes())
    assert decode(json.dumps(raw | {"from_the_future": [1]}).encode(), kind) == decode(json.dumps(raw).encode(), kind)


@each_message
def test_a_newer_version_is_refused_with_what_to_do(kind: type[Message]) -> None:
    raw = json.loads(example_of(kind).read_bytes()) | {"version": kind.WIRE_VERSION + 1}
    with pytest.raises(WireError, match=rf"{kind.__name__}: version 2 is newer than 1.*upgrade the receiver first"):
        decode(json.dumps(raw).encode(), kind)


@each_message
def test_a_missing_version_means_the_first(kind: type[Message]) -> None:
    raw = json.loads(example_of(kind).read_bytes())
    del raw["version"]
    assert decode(json.dumps(raw).encode(), kind).version == 1


@each_message
@pytest.mark.parametrize("junk", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"version": 0}', b'{"version": "1"}'])
def test_junk_is_a_wire_error_that_names_the_message(kind: type[Message], junk: bytes) -> None:
    with pytest.raises(WireError, match=kind.__name__):
        decode(junk, kind)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise_anything_but_a_wire_error(data: bytes) -> None:
    for kind in MESSAGES:
        try:
            decode(data, kind)
        except WireError:
            continue


def test_an_error_names_the_field_and_what_it_should_be() -> None:
    raw = json.loads(example_of(Heartbeat).read_bytes())
    raw["disks"][1]["used_bytes"] = -1
    with pytest.raises(WireError, match=r"Heartbeat: Expected `int` >= 0 - at `\$\.disks\[1\]\.used_bytes`"):
        decode(json.dumps(raw).encode(), Heartbeat)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "north-1\n", "\u0130", "a" * 129, "-a", "a b", "a\0"])
def test_a_name_that_could_leave_its_directory_is_refused(name: str) -> None:
    raw = json.loads(example_of(Position).read_bytes()) | {"title": name}
    with pytest.raises(WireError, match="title"):
        decode(json.dumps(raw).encode(), Position)


def test_a_message_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(WireError, match=r"Title of \d+ bytes: at most"):
        decode(bytes(MESSAGE_LIMIT_BYTES + 1), Title)


def test_a_steering_manifest_has_the_standards_own_keys() -> None:
    manifest = SteeringManifest(
        ttl_s=10, reload_uri="http://127.0.0.1:8202/v1/steer/t", pathway_priority=("a", "origin")
    )
    assert json.loads(msgspec.json.encode(manifest)) == {
        "VERSION": 1,
        "TTL": 10,
        "RELOAD-URI": "http://127.0.0.1:8202/v1/steer/t",
        "PATHWAY-PRIORITY": ["a", "origin"],
    }
