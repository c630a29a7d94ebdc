"""Settings of signed access: which form is asked for, with which keys, and what else must hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from control.kit.quantity import Seconds
from control.kit.settings import Settings, setting

KID_PATTERN = r"^[A-Za-z0-9._-]{1,64}\Z"

Mode = Literal["off", "url", "cat", "either"]
Algorithm = Literal["HS256", "ES256"]


class KeySettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key. Several at once make a rotation: add the new one everywhere, sign with it, drop the old one."""

    kid: Annotated[str, setting("Name of the key, as tokens give it.", pattern=KID_PATTERN)]
    algorithm: Annotated[Algorithm, setting("HS256 (a shared secret) or ES256 (a public key; for tokens only).")] = (
        "HS256"
    )
    secret_file: Annotated[
        Path | None,
        setting("File with the shared secret: its bytes, or `hex:` or `base64:` and the secret so written."),
    ] = None
    public_key_file: Annotated[Path | None, setting("PEM file with the P-256 public key.")] = None


class AccessSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may have segments."""

    mode: Annotated[
        Mode, setting("off: everyone; url: signed URLs; cat: Common Access Tokens; either: one of the two.")
    ] = "off"
    keys: Annotated[tuple[KeySettings, ...], setting("Keys that may have signed.", max_length=64)] = ()
    issuers: Annotated[tuple[str, ...], setting("Issuers whose tokens count; none named: any with a good key.")] = ()
    audiences: Annotated[
        tuple[str, ...], setting("Names this appliance answers to; a token for others only is refused.")
    ] = ()
    trusted: Annotated[
        tuple[str, ...], setting("Client prefixes that need no token, as CIDR: peers, probes.", max_length=1024)
    ] = ()
    clock_skew: Annotated[Seconds, setting("How far the signer's clock may be from ours.")] = Seconds(5)
    cache_entries: Annotated[int, setting("Verified tokens that are remembered.", ge=1, le=1_000_000)] = 4096
    token_limit: Annotated[int, setting("Bytes a token may have as it is sent.", ge=64, le=16 * 1024)] = 4096
