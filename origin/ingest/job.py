"""From a source to a published title: the story of an ingest, step by step.

Orders the steps and times them; each step is in its own file. What a person sees of it goes through Report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

from control.kit.clock import Clock
from control.wire import Title
from origin.ingest import clip, counter
from origin.ingest.encode import AUDIO_BPS, SEGMENT_S, Effort, encode
from origin.ingest.errors import MediaError
from origin.ingest.feed import Feed
from origin.ingest.ladder import Rung, Size, chosen, scaled
from origin.ingest.media_cache import MediaCache, digest_of_file, key_of
from origin.ingest.package import package
from origin.ingest.probe import examined, feed_of
from origin.ingest.rendition import described
from origin.ingest.scenes import FRAMES_PER_S, demo_feed
from origin.storage.port import Packaged, Published, Storage

RECIPE = 1
"""Raised when the same parameters would make other bytes, so that older cached media is not used."""


class Report(Protocol):
    """What a person is told while it runs."""

    def step(self, name: str) -> None:
        """A step begins."""

    def progress(self, part: float) -> None:
        """The step is done to this part, 0 to 1."""

    def notice(self, text: str) -> None:
        """Something went otherwise than asked, and the ingest goes on."""


@dataclass(frozen=True)
class Order:
    """What is to be made and published, apart from the source."""

    title: str
    name: str
    rungs: tuple[Rung, ...]
    effort: Effort
    synopsis: str = ""
    attribution: str = ""
    replace: bool = False


@dataclass
class Outcome:
    """What an ingest did. `seconds` are per step; `cached` media was not made again."""

    published: Published
    cached: bool
    seconds: dict[str, float]


@dataclass
class Ingest:
    """One ingest: where it publishes to, where it keeps media, whom it tells."""

    storage: Storage
    cache: Path
    report: Report
    clock: Clock
    dry_run: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def file(self, path: Path, order: Order, *, seconds: float | None = None) -> Outcome:
        """Publish the video at `path`. Raises IngestError or StorageError, nothing published then."""
        with self._step("examine"):
            feed = feed_of(path, examined(path), seconds=seconds)
            source: dict[str, object] = {"file": digest_of_file(path), "seconds": feed.duration_s}
        return self._finish(order, chosen(order.rungs, feed.size), lambda _: feed, source)

    def demo(self, order: Order, *, seconds: float, film: bool = True) -> Outcome:
        """Publish the made-up title of `seconds`; with `film` a third of it is the real clip, if it can be had."""
        found = self._clip() if film else None
        frames = round(seconds * FRAMES_PER_S)
        top = max(order.rungs, key=lambda rung: rung.short_side)
        size = scaled(Size(1280, 720), top)
        source: dict[str, object] = {"scenes": frames, "clip": clip.SHA256 if found else ""}

        def feed(place: Path) -> Feed:
            drawn = place / "counter.gray"
            with drawn.open("wb") as file:
                file.writelines(counter.frames(frames, FRAMES_PER_S))
            return demo_feed(found, drawn, size, frames)

        return self._finish(replace(order, attribution=clip.ATTRIBUTION if found else ""), order.rungs, feed, source)

    def _clip(self) -> Path | None:
        with self._step("clip"):
            try:
                return clip.fetched(self.cache / "clips")
            except clip.ClipError as error:
                self.report.notice(f"{error}; the title is made of synthetic scenes only")
                return None

    def _finish(
        self, order: Order, rungs: Sequence[Rung], feed: Callable[[Path], Feed], source: dict[str, object]
    ) -> Outcome:
        key = key_of(
            source
            | {"recipe": RECIPE, "title": order.title, "rungs": [asdict(rung) for rung in rungs]}
            | {"preset": order.effort.preset, "audio_bps": AUDIO_BPS, "segment_s": SEGMENT_S}
        )
        cache = MediaCache(self.cache)
        with self._step("look in cache"):
            packaged = cache.find(key)
        cached = packaged is not None
        if packaged is None:
            packaged = cache.make(key, lambda place: self._made(order, feed(place), rungs, place))
        with self._step("publish"):
            title = self._title(order, packaged)
            published = self.storage.publish(title, packaged, replace=order.replace, dry_run=self.dry_run)
        return Outcome(published, cached, dict(self.seconds))

    def _made(self, order: Order, feed: Feed, rungs: Sequence[Rung], place: Path) -> tuple[Packaged, ...]:
        with self._step("encode"):
            encoded = encode(feed, rungs, place, order.effort, self.report.progress)
        with self._step("package"):
            directories = package(encoded, place, timeout_s=order.effort.limit_s(feed.duration_s))
        with self._step("describe"):
            made = tuple(
                described(directory, order.title, name, language=feed.language)
                for name, directory in directories.items()
            )
            check_together(made, feed.duration_s)
        return made

    def _title(self, order: Order, packaged: Sequence[Packaged]) -> Title:
        return Title(
            id=order.title,
            name=order.name,
            synopsis=order.synopsis,
            attribution=order.attribution,
            duration_ms=max(each.duration_ms for each in packaged),
            published_at=self.clock.now(),
            renditions=tuple(each.rendition for each in packaged),
        )

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.report.step(name)
        started = self.clock.monotonic()
        yield
        self.seconds[name] = round(self.clock.monotonic() - started, 3)


def check_together(packaged: Sequence[Packaged], expected_s: float) -> None:
    """Raise MediaError when renditions end early, or when video renditions are not cut at the same times."""
    allowed_s = max(1.0, expected_s / 100)
    for each in packaged:
        if abs(each.duration_ms / 1000 - expected_s) > allowed_s:
            raise MediaError(
                f"{each.rendition.id} lasts {each.duration_ms / 1000:.2f} s, but its source {expected_s:.2f} s; "
                "the source is damaged or misstates its length"
            )
    cuts = {each.rendition.id: each.cuts for each in packaged if each.rendition.kind == "video"}
    if len(set(cuts.values())) > 1:
        raise MediaError(f"the renditions {', '.join(cuts)} are not cut at the same times; players could not switch")
