"""Settings from YAML: what is wrong is said with file, line and key; the reference file can be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.kit.errors import ConfigError, Exit
from control.kit.quantity import BitsPerSecond, Bytes, Seconds
from control.kit.reference import reference
from control.kit.settings import CONFIG_LIMIT_BYTES, Listen, Settings, load, parse, setting


class Disk(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: Annotated[Path, setting("Directory of the disk.")]
    capacity: Annotated[Bytes, setting("How much of it is ours.")] = Bytes(1024)


class Table(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: Annotated[Listen, setting("Where players connect.")] = Listen()
    workers: Annotated[int, setting("Front workers, one core each.", ge=1, le=64)] = 2
    name: Annotated[str | None, setting("A name, or null.")] = None
    timeout: Annotated[Seconds, setting("Longest wait.")] = Seconds(5)
    rate: Annotated[BitsPerSecond, setting("Fastest fill.")] = BitsPerSecond(1_000_000)
    run_dir: Annotated[Path, setting("Where the books are.")] = Path("run")
    serves: Annotated[tuple[str, ...], setting("Client prefixes.")] = ("0.0.0.0/0", "::/0")
    disks: Annotated[tuple[Disk, ...], setting("The disks.")] = ()


class Strict(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Annotated[str, setting("Base URL that others reach us at.")]


WRONG = [
    ("wrokers: 3", r"f\.yaml:1: wrokers: unknown key; known here: listen, workers"),
    ("name: a\nworkers: 0", r"f\.yaml:2: workers: Expected `int` >= 1; it is: Front workers"),
    ("workers: 65", r"f\.yaml:1: workers: Expected `int` <= 64"),
    ("workers: many", r"f\.yaml:1: workers: Expected `int`, got `str`"),
    ("listen:\n  host: 127.0.0.1\n  port: 70000", r"f\.yaml:3: listen\.port: Expected `int` <= 65535; it is: Port to"),
    ("listen:\n  prot: 1", r"f\.yaml:2: listen\.prot: unknown key; known here: host, port"),
    ("disks:\n- path: /a\n- capacity: 5GB", r"f\.yaml:3: disks\[1\]\.path: is required and missing; it is: Directory"),
    ("disks:\n- path: /a\n  capacity: 5XB", r"f\.yaml:3: disks\[0\]\.capacity: .*unknown unit 'XB'"),
    ("disks:\n- path: /a\n  size: 5", r"f\.yaml:3: disks\[0\]\.size: unknown key; known here: path, capacity"),
    ("disks: /a", r"f\.yaml:1: disks: Expected `array`, got `str`"),
    ("timeout: -1", r"f\.yaml:1: timeout: -1 is negative"),
    ("run_dir: 5", r"f\.yaml:1: run_dir: 5 is not a path"),
    ("workers: 2\n\nworkers: 3", r"f\.yaml:3: workers: given twice"),
    ("a: [1", r"f\.yaml:1: not YAML"),
    ("a: b: c", r"f\.yaml:1: not YAML"),
    ("- 1", r"f\.yaml:1: \(the whole file\): Expected `object`, got `array`"),
    ("a: \x07", r"f\.yaml: not YAML"),
    ("run_dir: 2026-13-01", r"f\.yaml: not YAML: month must be in"),
    ("disks: &a [*a]", r"f\.yaml: nested too deeply"),
    ("disks: " + "[" * 2000, r"f\.yaml: nested too deeply"),
    ("timeout: .nan", r"f\.yaml:1: timeout: nan is not a duration"),
    ("? [1, 2]\n: 3", r"f\.yaml"),
    ("1: 2", r"f\.yaml:1: "),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_what_is_wrong_is_said_with_file_line_and_key(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse(text, Table, name="f.yaml")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status is Exit.CONFIG


def test_a_missing_required_setting_is_named_with_its_meaning() -> None:
    with pytest.raises(ConfigError, match=r"f\.yaml:1: url: is required and missing; it is: Base URL that others"):
        parse("", Strict, name="f.yaml")


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("# nothing\n", Table) == Table()


def test_quantities_paths_and_lists_are_read_as_a_person_writes_them() -> None:
    table = parse("timeout: 1.5m\nrate: 2Gbps\nrun_dir: /run/x\ndisks: [{path: /d, capacity: 2GiB}]", Table)
    assert (table.timeout, table.rate, table.run_dir) == (90.0, 2_000_000_000, Path("/run/x"))
    assert table.disks == (Disk(path=Path("/d"), capacity=Bytes(2 * 1024**3)),)


def test_the_reference_file_of_a_table_loads_as_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "reference.yaml"
    path.write_text(reference(Table, "A process."))
    assert load(path, Table) == Table()


def test_the_reference_file_explains_every_setting() -> None:
    text = reference(Table, "A process.")
    for words in ("Where players connect.", "Port to listen on", "Front workers", "Directory of the disk.", "capacity"):
        assert words in text
    assert "# Base URL that others reach us at. Required.\nurl:" in reference(Strict, "Another.")


def test_the_commented_entry_in_the_reference_loads_once_uncommented() -> None:
    lines = reference(Table, "A process.").splitlines()
    start = lines.index("disks: []")
    entry = [line.removeprefix("# ") for line in lines[start + 1 :]]
    text = "disks:\n" + "\n".join(entry).replace("path:", "path: /d")
    assert parse(text, Table).disks == (Disk(path=Path("/d")),)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"a: \xff\xfe"), "not UTF-8 text at byte 3"),
        (lambda path: path.write_bytes(b"#" * (CONFIG_LIMIT_BYTES + 1)), "is it a configuration"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "f.yaml"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=words) as caught:
        load(path, Table)
    assert str(path) in str(caught.value)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_settings_or_a_config_error(text: str) -> None:
    try:
        parse(text, Table)
    except ConfigError:
        return
