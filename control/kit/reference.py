"""The documented reference configuration, written from a table of settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import yaml

from control.kit.quantity import BitsPerSecond, Bytes, Seconds
from control.kit.settings import inner_table, unwrapped

_WIDTH = 100


def reference(table: type[msgspec.Struct], heading: str) -> str:
    """A YAML file with every setting of `table`, its meaning and its default.

    Required settings and examples of optional lists are there too, so the file can be loaded as it is
    only when the table has no required setting; `configs/` holds complete scenarios.
    """
    lines = [f"# {heading}", "# Written by `oca config reference`; every value shown is the default.", ""]
    lines += _table(table, 0)
    return "\n".join(lines).rstrip() + "\n"


def _table(table: type[msgspec.Struct], depth: int, given: msgspec.Struct | None = None) -> Iterator[str]:
    """The settings of `table`; `given` is the default of the table it stands in, where that has one."""
    hints = get_type_hints(table, include_extras=True)
    for field in msgspec.structs.fields(table):
        kind, text = unwrapped(hints[field.name])
        if given is not None:
            field.default, field.default_factory = getattr(given, field.name), msgspec.NODEFAULT
        yield from _field(field, kind, text, depth)


def _field(field: msgspec.structs.FieldInfo, kind: Any, text: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    required = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
    yield f"{pad}# {text}{' Required.' if required else ''}"
    nested = inner_table(kind)
    if isinstance(nested, type) and issubclass(nested, msgspec.Struct):
        default = None if required else field.get_default() if hasattr(field, "get_default") else field.default
        if nested is kind:
            yield f"{pad}{field.encode_name}:"
            yield from _table(nested, depth + 1, None if required else _default(field))
        else:
            yield f"{pad}{field.encode_name}:" if required or default else f"{pad}{field.encode_name}: []"
            yield from _entry(nested, depth, commented=not required)
        return
    value = "" if required else _scalar(field)
    example = getattr(kind, "example", "")
    tail = f"  # for example {example}" if example and required else ""
    yield f"{pad}{field.encode_name}: {value}{tail}".rstrip()


def _entry(table: type[msgspec.Struct], depth: int, *, commented: bool) -> Iterator[str]:
    """One entry of a list of tables, its first line marked by a dash."""
    pad = "  " * depth + ("# " if commented else "")
    for number, line in enumerate(_table(table, 1)):
        body = line[2:]
        lead = "- " if number == 0 else "  "
        yield f"{pad}{lead}{body}".rstrip()


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    assert field.default_factory is not msgspec.NODEFAULT
    return field.default_factory()


def _scalar(field: msgspec.structs.FieldInfo) -> str:
    default = _default(field)
    plain: Any = default
    if isinstance(default, (Bytes, BitsPerSecond)):
        plain = int(default)
    elif isinstance(default, Seconds):
        plain = float(default)
    elif isinstance(default, Path):
        plain = str(default)
    elif isinstance(default, tuple):
        plain = list(default)
    return str(yaml.safe_dump(plain, default_flow_style=True, width=_WIDTH)).replace("\n...", "").strip()
