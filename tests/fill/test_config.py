"""Settings that cannot work together are refused with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from control.kit.errors import ConfigError
from fill.config import load

EXAMPLE = Path(__file__).parents[2] / "configs" / "fill.yaml"


def test_the_example_configuration_is_accepted() -> None:
    settings = load(EXAMPLE)
    assert settings.listen.port == 8203
    assert settings.rule("north") == settings.rule("south")


def test_a_site_may_have_a_window_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "fill.yaml"
    path.write_text('site_windows: [{site: south, window: {start: "01:00", end: "07:00", rate: 400Mbps}}]')
    settings = load(path)
    assert (settings.rule("south").start_minute, settings.rule("south").rate_bps) == (60, 400_000_000)
    assert settings.rule("north").start_minute == 120


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("window: {start: 14:00}", "window.start"),
        ('window: {start: "25:00"}', "window: '25:00' is not a time of day; give HH:MM"),
        ("window: {timezone: Mars/Olympus}", "'Mars/Olympus' is not a time zone"),
        ('site_windows: [{site: s, window: {end: "1"}}]', r"site_windows\[0\]\.window: '1' is not a time"),
        ("plan_interval: 0", "plan_interval: must be more than 0"),
        ("keep_demand: 1d", "keep_demand: must be at least"),
        ("placement: {churn: 2}", "placement.churn"),
        ("pins: [{name: x}]", "unknown key; known here: title, rendition, cluster"),
        ("control_url: localhost", "control_url"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "fill.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
