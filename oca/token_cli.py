"""`oca token`: make access tokens and signed URLs, and look into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table

from control.kit.clock import SystemClock
from control.kit.errors import ConfigError, Exit, UserError
from control.kit.quantity import Seconds
from oca.front.access import cat, cbor, claims, cose, network, renewal, uri, urlsign
from oca.front.access.keyring import PrivateKey, PublicKey, SecretKey, read, secret_of
from oca.front.access.settings import Algorithm

TOKEN_LIMIT = 16 * 1024


class DurationParam(click.ParamType[Seconds]):
    """A duration such as 30s, 10m or 12h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Seconds:
        """To Seconds."""
        try:
            return Seconds.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationParam()
KEY_FILE = click.Path(path_type=Path, dir_okay=False)
ALGORITHM = click.Choice(["HS256", "ES256"])


@click.group()
def token() -> None:
    """Make access tokens and signed URLs, and look into them.

    An appliance asks for them when its configuration has `access: {mode: url | cat | either, keys: [...]}`.
    """


@token.command()
@click.option("--path", "path", required=True, help="What to open: /s/<title>/ with all below it, or one object.")
@click.option("--exp", "lifetime", type=DURATION, default="1h", show_default=True, help="How long it is good.")
@click.option("--key-file", required=True, type=KEY_FILE, help="Secret (HS256) or private key in PEM (ES256).")
@click.option("--kid", default="k1", show_default=True, help="Name of the key in the appliances' configuration.")
@click.option("--algorithm", type=ALGORITHM, default="HS256", show_default=True)
@click.option("--form", type=click.Choice(["url", "cat"]), default="url", show_default=True)
@click.option("--method", "methods", multiple=True, help="Only for this method; repeat for more. (cat)")
@click.option("--client", "clients", multiple=True, help="Only for clients in this prefix; repeat for more. (cat)")
@click.option("--issuer", help="Who made it. (cat)")
@click.option("--audience", "audiences", multiple=True, help="Whom it is for. (cat)")
@click.option("--renew", "renew", type=DURATION, help="Let appliances renew it for this long each time. (cat)")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def sign(*, key_file: Path, kid: str, algorithm: Algorithm, form: str, as_json: bool, **asked: Any) -> None:
    """Print what opens a path: the query of a signed URL, or a Common Access Token."""
    key = _signing_key(key_file, kid, algorithm)
    now = SystemClock().now()
    try:
        shown = _signed_url(key, now, asked) if form == "url" else _access_token(key, now, asked)
    except ValueError as error:
        raise UserError(f"cannot sign: {error}") from error
    if as_json:
        click.echo(json.dumps(shown))
    else:
        click.echo(shown["query"] if form == "url" else shown["token"])


@token.command()
@click.argument("text", metavar="TOKEN")
@click.option("--key-file", type=KEY_FILE, help="Verify with this secret, or public key in PEM.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(text: str, *, key_file: Path | None, as_json: bool) -> int:
    """Show what a token, a signed URL or its query says; with a key also whether the signature holds.

    Exit status 1 when a key is given and the signature does not hold.
    """
    now = SystemClock().now()
    told = _signed_url_told(text, key_file) if "sig=" in text else _token_told(text, key_file)
    told["expired"] = isinstance(told.get("exp"), (int, float)) and now >= told["exp"]
    if as_json:
        click.echo(json.dumps(told))
    else:
        table = Table("What", "Value")
        for name, value in told.items():
            table.add_row(name, value if isinstance(value, str) else json.dumps(value))
        Console().print(table)
    return int(Exit.FAILED if told["signature"] == "does not hold" else Exit.OK)


def _signed_url(key: SecretKey | PrivateKey, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(key, SecretKey):
        raise UserError("a signed URL needs a shared secret: use --algorithm HS256, or --form cat")
    if asked["methods"] or asked["clients"] or asked["issuer"] or asked["audiences"] or asked["renew"]:
        raise UserError("--method, --client, --issuer, --audience and --renew are for --form cat")
    path, expires = asked["path"], int(now + asked["lifetime"])
    query = urlsign.sign(path, expires=expires, key=key, prefix=path.endswith("/"))
    return {"query": query, "url": f"{path}?{query}", "exp": expires}


def _access_token(key: SecretKey | PrivateKey, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    path, expires = asked["path"], int(now + asked["lifetime"])
    match = uri.PREFIX if path.endswith("/") else uri.EXACT
    raw: dict[int, Any] = {claims.CATV: claims.VERSION, claims.EXP: expires, claims.IAT: int(now)}
    raw[claims.CATU] = {uri.PATH: {match: path}}
    if asked["methods"]:
        raw[claims.CATM] = list(asked["methods"])
    if asked["clients"]:
        raw[claims.CATNIP] = [network.written(prefix) for prefix in asked["clients"]]
    if asked["issuer"]:
        raw[claims.ISS] = asked["issuer"]
    if asked["audiences"]:
        raw[claims.AUD] = list(asked["audiences"])
    if asked["renew"]:
        raw[claims.CATR] = {renewal.TYPE: renewal.AUTOMATIC, renewal.EXPADD: int(asked["renew"])}
    claims.read(cbor.encode(raw))  # never hand out what an appliance would refuse
    made = cat.made(raw, key)
    return {"token": made, "query": f"CAT={made}", "path": f"/{made}{path}", "exp": expires}


def _token_told(text: str, key_file: Path | None) -> dict[str, Any]:
    try:
        envelope = cat.unwrapped(text.encode(), TOKEN_LIMIT)
        raw = cbor.decode(envelope.payload)
    except ValueError as error:
        raise UserError(f"not a token: {error}") from error
    if not isinstance(raw, dict):
        raise UserError("not a token: its claims are no map")
    told = {"algorithm": envelope.algorithm, "kid": envelope.kid or ""}
    told["signature"] = _verdict(key_file, envelope)
    return told | {str(claims.NAMES.get(number, number)): _plain(value) for number, value in raw.items()}


def _verdict(key_file: Path | None, envelope: cose.Envelope) -> str:
    if key_file is None:
        return "not checked"
    key = _checking_key(key_file, envelope.kid or "", envelope.algorithm)
    return "holds" if key.verifies(envelope.message, envelope.signature) else "does not hold"


def _signed_url_told(text: str, key_file: Path | None) -> dict[str, Any]:
    parts = urlsplit(text if "?" in text or text.startswith("/") else f"?{text}")
    try:
        signed = urlsign.find(parts.query.encode())
        if signed is None:
            raise UserError("not a signed URL: it has no sig")
        told: dict[str, Any] = {"kid": signed.kid.decode("latin-1"), "exp": int(signed.exp)}
    except ValueError as error:
        raise UserError(f"not a signed URL: {error}") from error
    told["opens"] = (signed.pfx or parts.path.encode()).decode("latin-1") or "(the path it was made for)"
    if key_file is None:
        return told | {"signature": "not checked"}
    key = _checking_key(key_file, told["kid"], "HS256")
    return told | {"signature": "holds" if urlsign.holds(signed, parts.path.encode(), key) else "does not hold"}


def _signing_key(path: Path, kid: str, algorithm: Algorithm) -> SecretKey | PrivateKey:
    content = read(path)
    try:
        return SecretKey(kid, secret_of(content)) if algorithm == "HS256" else PrivateKey(kid, content)
    except ValueError as error:
        raise ConfigError(f"{path}: not usable as {algorithm} key: {error}") from error


def _checking_key(path: Path, kid: str, algorithm: Algorithm) -> SecretKey | PublicKey:
    content = read(path)
    try:
        return SecretKey(kid, secret_of(content)) if algorithm == "HS256" else PublicKey(kid, content)
    except ValueError as error:
        raise ConfigError(f"{path}: not usable as {algorithm} key: {error}") from error


def _plain(value: Any) -> Any:
    """A claim's value as JSON can show it: bytes in hexadecimal, keys as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key.hex() if isinstance(key, bytes) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, cbor.Tag):
        return {"tag": value.number, "value": _plain(value.value)}
    return value
