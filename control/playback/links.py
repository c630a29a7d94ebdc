"""The URLs that sessions and manifests are made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

_KEPT = ":/?#[]@!$&'()*+,;=%~"
"""Characters of a URL that are left alone; what could end an attribute or a line is escaped."""


@dataclass(frozen=True)
class Links:
    """URLs of this control plane and of steering, as players reach them."""

    control: str
    steering: str

    def hls(self, session: str) -> str:
        """The session's HLS multivariant playlist."""
        return f"{self.control}/v1/playback/{session}/master.m3u8"

    def dash(self, session: str) -> str:
        """The session's DASH manifest."""
        return f"{self.control}/v1/playback/{session}/manifest.mpd"

    def steer(self, title: str, session: str, client: str) -> str:
        """Where the session's player polls its steering manifest. Players add their own parameters with `&`.

        >>> Links("http://c", "http://s").steer("bunny", "p1", "fd00::1")
        'http://s/v1/steer/bunny?session=p1&client=fd00%3A%3A1'
        """
        return f"{self.steering}/v1/steer/{title}?{urlencode({'session': session, 'client': client})}"


def title_base(pathway_url: str, title: str) -> str:
    """Where a pathway has the renditions of a title: absolute, with the slash at its end.

    >>> title_base('http://127.0.0.11:8311/"', "bunny")
    'http://127.0.0.11:8311/%22/s/bunny/'
    """
    return f"{quote(pathway_url.rstrip('/'), safe=_KEPT)}/s/{title}/"
