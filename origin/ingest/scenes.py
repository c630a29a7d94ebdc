"""The demo's own title: three scenes that differ in how hard they are to encode, each frame numbered.

Pure: builds ffmpeg's arguments. A real animated film, a fractal zoom and a test pattern, in equal parts;
without the clip (no network) the two made-up scenes share the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from origin.ingest import counter
from origin.ingest.feed import PICTURE, SOUND, Feed
from origin.ingest.ladder import Size

FRAMES_PER_S = 25
_ZOOM_S, _ZOOM_SHARE = 8, 2
"""The fractal costs as much as an encode: it is drawn at half size, and its first seconds are repeated."""


@dataclass(frozen=True)
class Scene:
    """ffmpeg's arguments for one input and the filters that make it a scene."""

    inputs: tuple[str, ...]
    filters: str


def demo_feed(clip: Path | None, counter_file: Path, size: Size, frames: int) -> Feed:
    """The demo's picture of `frames` frames, with the counter in `counter_file` over it, and its sound."""
    makers = (*((_film(clip),) if clip else ()), _zoom(size), _pattern(size))
    ends = [frames * (number + 1) // len(makers) for number in range(len(makers))]
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    parts = [
        f"[{number}:v]{scene.filters},scale={size.width}:{size.height}:flags=fast_bilinear,format=yuv420p,setsar=1,"
        f"fps={FRAMES_PER_S},trim=end_frame={length},setpts=PTS-STARTPTS[scene{number}]"
        for number, (scene, length) in enumerate(zip(makers, lengths, strict=True))
    ]
    labels = "".join(f"[scene{number}]" for number in range(len(makers)))
    enlarge, margin = max(1, size.width // 320), size.height // 30
    sound_at = len(makers) + 1
    return Feed(
        inputs=(*(argument for scene in makers for argument in scene.inputs), *_counter(counter_file), *_tones()),
        graph=";".join(
            [
                *parts,
                f"{labels}concat=n={len(makers)}:v=1:a=0[scenes]",
                f"[{len(makers)}:v]scale=iw*{enlarge}:ih*{enlarge}:flags=neighbor,format=yuv420p[counter]",
                f"[scenes][counter]overlay=x={margin}:y={margin}:shortest=1{PICTURE}",
                f"[{sound_at}:a][{sound_at + 1}:a]join=inputs=2:channel_layout=stereo,"
                f"atrim=end={frames / FRAMES_PER_S}{SOUND}",
            ]
        ),
        size=size,
        frame_rate=Fraction(FRAMES_PER_S),
        duration_s=frames / FRAMES_PER_S,
        has_sound=True,
    )


def _film(clip: Path) -> Scene:
    return Scene(("-stream_loop", "-1", "-i", f"file:{clip}"), "null")


def _zoom(size: Size) -> Scene:
    drawn = f"{size.width // _ZOOM_SHARE}x{size.height // _ZOOM_SHARE}"
    frames = _ZOOM_S * FRAMES_PER_S
    return Scene(
        ("-f", "lavfi", "-t", str(_ZOOM_S), "-i", f"mandelbrot=size={drawn}:rate={FRAMES_PER_S}"),
        f"format=yuv420p,loop=loop=-1:size={frames}",
    )


def _pattern(size: Size) -> Scene:
    return Scene(("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FRAMES_PER_S}"), "null")


def _counter(counter_file: Path) -> tuple[str, ...]:
    shape = ("-f", "rawvideo", "-pix_fmt", "gray", "-video_size", str(counter.SIZE), "-framerate", str(FRAMES_PER_S))
    return (*shape, "-i", f"file:{counter_file}")


def _tones() -> tuple[str, ...]:
    """A tone to the left that beeps every second, a lower one to the right."""
    left, right = "sine=frequency=330:beep_factor=3:sample_rate=48000", "sine=frequency=220:sample_rate=48000"
    return ("-f", "lavfi", "-i", left, "-f", "lavfi", "-i", right)
