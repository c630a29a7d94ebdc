"""`oca token`: what it makes opens a gate, what it shows is what is in there."""

import json
import time

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from control.kit.errors import ConfigError, UserError
from oca.front.access.keyring import Keyring, load
from oca.front.access.settings import AccessSettings, KeySettings
from oca.front.access.verify import Allowed, Gate
from oca.token_cli import token

OBJECT = b"/s/bunny/v720-1f/00001.m4s"


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"hex:" + b"5a" * 32 + b"\n")
    return path


@pytest.fixture
def key_pair(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def run(*words):
    result = CliRunner().invoke(token, [str(word) for word in words], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def gate(key):
    settings = AccessSettings(mode="either", keys=(key,))
    return Gate(settings, load(settings))


def opens(gate, *, path=OBJECT, query=b"", client="192.0.2.1", method=b"GET"):
    return isinstance(gate.check(path, query, {}, client, method, now=time.time()), Allowed)


def test_a_signed_url_that_it_makes_opens_the_appliance(secret_file):
    closed = gate(KeySettings(kid="k1", secret_file=secret_file))
    query = run("sign", "--path", "/s/bunny/", "--key-file", secret_file).output.strip()
    assert opens(closed, query=query.encode())
    assert not opens(closed, path=b"/s/bear/v/1.m4s", query=query.encode())
    told = json.loads(run("sign", "--path", OBJECT.decode(), "--key-file", secret_file, "--json").output)
    assert told["url"] == f"{OBJECT.decode()}?{told['query']}"
    assert opens(closed, query=told["query"].encode())


def test_a_token_that_it_makes_opens_the_appliance(secret_file, key_pair):
    limits = ["--method", "GET", "--client", "192.0.2.0/24", "--renew", "10m", "--exp", "30m", "--json"]
    shared, public = ("HS256", secret_file), ("ES256", key_pair[0])
    gates = (
        gate(KeySettings(kid="edge", secret_file=secret_file)),
        gate(KeySettings(kid="edge", algorithm="ES256", public_key_file=key_pair[1])),
    )
    for closed, (algorithm, file) in zip(gates, (shared, public), strict=True):
        words = ["--path", "/s/bunny/", "--form", "cat", "--kid", "edge", "--algorithm", algorithm, "--key-file", file]
        told = json.loads(run("sign", *words, *limits).output)
        assert opens(closed, query=told["query"].encode())
        assert opens(closed, path=told["path"].encode() + b"v720-1f/00001.m4s")
        assert not opens(closed, query=told["query"].encode(), client="198.51.100.1")
        assert not opens(closed, query=told["query"].encode(), method=b"HEAD")


def test_a_token_is_shown_and_checked(secret_file, key_pair, tmp_path):
    text = run("sign", "--path", OBJECT.decode(), "--form", "cat", "--issuer", "us", "--key-file", secret_file)
    text = text.output.strip()
    told = json.loads(run("show", text, "--json").output)
    assert told["signature"] == "not checked"
    assert (told["iss"], told["kid"], told["expired"]) == ("us", "k1", False)
    assert told["catu"] == {"3": {"0": OBJECT.decode()}}
    good = run("show", text, "--json", "--key-file", secret_file)
    assert json.loads(good.output)["signature"] == "holds"
    assert good.return_value == 0
    (tmp_path / "other").write_bytes(b"o" * 32)
    bad = run("show", text, "--key-file", tmp_path / "other")
    assert "does not hold" in bad.output
    assert bad.return_value == 1


def test_a_signed_url_is_shown_and_checked(secret_file):
    query = run("sign", "--path", "/s/bunny/", "--key-file", secret_file).output.strip()
    told = json.loads(run("show", query, "--json", "--key-file", secret_file).output)
    assert (told["opens"], told["signature"], told["expired"]) == ("/s/bunny/", "holds", False)
    url = json.loads(run("sign", "--path", OBJECT.decode(), "--key-file", secret_file, "--json").output)["url"]
    told = json.loads(run("show", f"http://edge:8311{url}", "--json", "--key-file", secret_file).output)
    assert (told["opens"], told["signature"]) == (OBJECT.decode(), "holds")
    assert json.loads(run("show", url, "--json").output)["signature"] == "not checked"


def test_what_it_shows_never_holds_the_secret(secret_file):
    text = run("sign", "--path", "/s/bunny/", "--form", "cat", "--key-file", secret_file).output.strip()
    assert "5a5a5a" not in run("show", text, "--key-file", secret_file).output
    assert len(Keyring(())) == 0


def test_mistakes_are_said_in_a_sentence(secret_file, key_pair, tmp_path):
    base = ["sign", "--path", "/s/bunny/", "--key-file"]
    (tmp_path / "short").write_bytes(b"x")
    wrong = [
        (ConfigError, "cannot be read", [*base, tmp_path / "none"]),
        (ConfigError, "too few", [*base, tmp_path / "short"]),
        (ConfigError, "not usable as ES256", [*base, secret_file, "--algorithm", "ES256"]),
        (UserError, "needs a shared secret", [*base, key_pair[0], "--algorithm", "ES256"]),
        (UserError, "are for --form cat", [*base, secret_file, "--method", "GET"]),
        (UserError, "cannot sign", ["sign", "--path", "s/", "--key-file", secret_file]),
        (UserError, "cannot sign", [*base, secret_file, "--form", "cat", "--client", "nonsense"]),
        (UserError, "not a token", ["show", "nonsense"]),
        (UserError, "not a signed URL", ["show", "/s/a?sig=x&sig=y"]),
        (UserError, "not a signed URL", ["show", "/s/a?sig=x&exp=soon"]),
    ]
    for kind, words, arguments in wrong:
        with pytest.raises(kind, match=words):
            run(*arguments)


def test_a_duration_that_is_none_is_a_usage_error(secret_file):
    result = CliRunner().invoke(token, ["sign", "--path", "/s/a/", "--key-file", str(secret_file), "--exp", "soon"])
    assert result.exit_code == 2
    assert "duration" in result.output
