"""What can go wrong between a video and a published title, for the person who ran it to mend."""

from __future__ import annotations

from control.kit.errors import Exit, UserError


class IngestError(UserError):
    """A video that cannot be made into a title: the source, a tool or the outcome of one is at fault."""


class SourceError(IngestError):
    """The file given is not a video we can read."""

    exit_status = Exit.USAGE


class ToolError(IngestError):
    """ffmpeg, ffprobe or the packager is missing, failed, or took too long."""


class MediaError(IngestError):
    """What the tools made is not what was asked of them; nothing of it is published."""
