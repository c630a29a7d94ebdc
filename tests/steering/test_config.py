"""Settings that cannot work together are refused with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from control.kit.errors import ConfigError
from steering.config import load

EXAMPLE = Path(__file__).parents[2] / "configs" / "steering.yaml"


def test_the_example_configuration_is_accepted() -> None:
    assert load(EXAMPLE).listen.port == 8202


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ttl: 0", "at least 1 s"),
        ("probe: {interval: 0}", "probe: interval and timeout must be more than 0"),
        ("heartbeat_ttl: 0", "heartbeat_ttl: must be more than 0"),
        ("forget_after: 1s", "forget_after: must be longer than heartbeat_ttl"),
        ("listen: {host: 0.0.0.0, port: 8202}", "url: is needed when listening on 0.0.0.0"),
        ("believed_silence: 2", "believed_silence"),
        ("prob: {}", "unknown key; known here: listen, url, origin"),
        ("origin: {name: a/b}", "origin.name"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "steering.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
