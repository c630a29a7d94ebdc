"""Every eviction policy by the name a configuration calls it. A new one is its file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from control.kit.errors import ConfigError
from oca.policy.lru import Lru
from oca.policy.policy import Policy

POLICIES: dict[str, Callable[[], Policy]] = {
    Lru.name: Lru,
}


def made(name: str) -> Policy:
    """A new policy called `name`. Raises ConfigError listing the names there are."""
    if name not in POLICIES:
        raise ConfigError(f"store.policy: {name!r} is no policy; there are: {', '.join(sorted(POLICIES))}")
    return POLICIES[name]()
