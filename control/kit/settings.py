"""Settings: a typed table per process, read from YAML, with errors that name file, line and key.

A table is a frozen msgspec Struct whose fields are `Annotated[type, setting("what it means")]`. The
same table gives the loader its checks and `reference` the commented file in `configs/`.
Unknown keys are errors: a misspelt limit must not silently be the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import yaml

from control.kit.errors import ConfigError
from control.kit.quantity import BitsPerSecond, Bytes, Seconds

T = TypeVar("T", bound=msgspec.Struct)

CONFIG_LIMIT_BYTES = 1024 * 1024
_QUANTITIES = (Bytes, Seconds, BitsPerSecond)
_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


def setting(text: str, **limits: Any) -> msgspec.Meta:
    """What a field means, for the reference file, with limits as msgspec.Meta takes them (`ge`, `le`, …)."""
    return msgspec.Meta(description=text, **limits)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of settings."""


class Listen(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address to listen on."""

    host: Annotated[str, setting("Address to listen on; 127.0.0.1 is this machine only.")] = "127.0.0.1"
    port: Annotated[int, setting("Port to listen on; 0 takes any free one.", ge=0, le=65535)] = 0


def load(path: Path, table: type[T]) -> T:
    """The settings in the YAML file at `path`.

    Raises ConfigError as `file:line: key: what was wrong; what the key means`.
    """
    try:
        if path.stat().st_size > CONFIG_LIMIT_BYTES:
            raise ConfigError(f"{path}: larger than {CONFIG_LIMIT_BYTES} bytes; is it a configuration?")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from error
    return parse(text, table, name=str(path))


def parse(text: str, table: type[T], *, name: str = "<text>") -> T:
    """The settings in YAML `text`; `name` stands for the file in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
        repeated = list(_repeated_keys(root))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or number that is none, such as 2026-13-01
        raise ConfigError(f"{name}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply") from error
    if data is None:
        data = {}
    for key, line in repeated:
        raise ConfigError(f"{name}:{line}: {key}: given twice")
    try:
        return msgspec.convert(data, table, dec_hook=_quantity)
    except msgspec.ValidationError as error:
        raise _located(error, root, table, name) from error


def _quantity(kind: type, value: Any) -> Any:
    if kind in _QUANTITIES:
        return kind.parse(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"{value!r} is not a path")


def _located(error: Exception, root: yaml.Node | None, table: type, name: str) -> ConfigError:
    message, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`")
    unknown = re.search(r"unknown field `([^`]+)`", message)
    missing = re.search(r"missing required field `([^`]+)`", message)
    if unknown:
        path += f".{unknown.group(1)}"
        known = ", ".join(_field_names(_walk_types(table, path.rpartition(".")[0])))
        message = f"unknown key; known here: {known}"
    key = path.lstrip(".") or "(the whole file)"
    line = _line_of(root, path)
    if missing:
        key = f"{key}.{missing.group(1)}" if path else missing.group(1)
        message = "is required and missing"
        path += f".{missing.group(1)}"
    meaning = _meaning(table, path)
    hint = f"; it is: {meaning}" if meaning else ""
    return ConfigError(f"{name}:{line}: {key}: {message}{hint}")


def _steps(path: str) -> Iterator[str | int]:
    for match in _PATH_STEP.finditer(path):
        key, index = match.groups()
        yield key if key is not None else int(index or 0)


def _line_of(node: yaml.Node | None, path: str) -> int:
    line = node.start_mark.line + 1 if node else 1
    for step in _steps(path):
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == step), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _repeated_keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield str(key.value), key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value)


def unwrapped(kind: Any) -> tuple[Any, str]:
    """The bare type of an annotation and the description it carries."""
    text = ""
    while hasattr(kind, "__metadata__"):
        for meta in kind.__metadata__:
            if isinstance(meta, msgspec.Meta) and meta.description:
                text = meta.description
        kind = kind.__origin__
    return kind, text


def inner_table(kind: Any) -> Any:
    """The struct inside an optional, tuple or dict, if there is one."""
    kind, _ = unwrapped(kind)
    for argument in get_args(kind) if get_origin(kind) else ():
        inner = inner_table(argument)
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return inner
    return kind


def _walk_types(table: Any, path: str) -> Any:
    for step in _steps(path):
        if isinstance(step, str) and isinstance(table, type) and issubclass(table, msgspec.Struct):
            table = inner_table(get_type_hints(table, include_extras=True).get(step, str))
    return table


def _field_names(table: Any) -> list[str]:
    is_struct = isinstance(table, type) and issubclass(table, msgspec.Struct)
    return [field.encode_name for field in msgspec.structs.fields(table)] if is_struct else []


def _meaning(table: type, path: str) -> str:
    steps = [step for step in _steps(path) if isinstance(step, str)]
    if not steps:
        return ""
    owner = _walk_types(table, "".join(f".{step}" for step in steps[:-1]))
    if steps[-1] not in _field_names(owner):
        return ""
    return unwrapped(get_type_hints(owner, include_extras=True)[steps[-1]])[1]
