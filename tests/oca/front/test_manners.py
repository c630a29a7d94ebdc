"""Tokens, CMCD, CMSD and pacing as players meet them, over real sockets."""

import os
import socket
import time

import pytest

from oca.front.access import keyring
from oca.front.access.settings import AccessSettings, KeySettings
from oca.front.access.verify import Gate
from oca.front.manners import Manners
from oca.front.pacing import SO_MAX_PACING_RATE, UNPACED, PacingSettings
from oca.link import messages as link
from oca.token_cli import token

KEY = "title/v720-1/00001.m4s"
PATH = "/s/" + KEY
DATA = os.urandom(50_000)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"hex:{os.urandom(32).hex()}")
    return path


def gated(make_rig, secret, mode):
    access = AccessSettings(mode=mode, keys=(KeySettings(kid="k1", algorithm="HS256", secret_file=secret),))
    gate = Gate(access, keyring.load(access))
    rig = make_rig(manners=Manners(gate, PacingSettings(), appliance="t1", now=time.time))
    rig.store(KEY, DATA)
    rig.store("title/v720-1/00002.m4s", DATA)
    rig.store("other/v720-1/00001.m4s", DATA)
    return rig


def signed(secret, form, path):
    from click.testing import CliRunner

    arguments = ["sign", "--path", path, "--exp", "1h", "--key-file", str(secret), "--kid", "k1", "--form", form]
    result = CliRunner().invoke(token, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip().splitlines()[-1]  # the worker may log in between


def test_without_a_token_a_segment_is_refused_and_probes_are_not(make_rig, secret):
    rig = gated(make_rig, secret, "cat")
    client = rig.client()
    status, fields, body = client.get(PATH)
    assert (status, fields["content-type"]) == (403, "application/problem+json")
    assert b"token-missing" in body
    assert client.get("/healthz")[0] == 200


def test_a_token_lets_its_title_through_again_and_again_and_no_other(make_rig, secret):
    rig = gated(make_rig, secret, "cat")
    shown = f"CTA-Common-Access-Token: {signed(secret, 'cat', '/s/title/')}"
    client = rig.client()
    for path in (PATH, PATH, "/s/title/v720-1/00002.m4s"):
        assert client.get(path, shown)[2] == DATA
    assert client.get("/s/other/v720-1/00001.m4s", shown)[0] == 403
    assert client.get(PATH, shown)[2] == DATA
    assert client.get(PATH)[0] == 403


def test_cmcd_is_answered_with_cmsd_and_never_part_of_the_key(rig):
    rig.store(KEY, DATA)
    client = rig.client()
    status, fields, body = client.get(PATH + "?CMCD=br%3D3000%2Csid%3D%22a%22", "CMCD-Request: bl=12000")
    assert (status, body) == (200, DATA)
    assert fields["cmsd-dynamic"].startswith('"t1";etp=')
    assert "cmsd-dynamic" not in client.get(PATH)[1]


def test_a_player_that_tells_its_buffer_is_paced_and_one_that_starts_is_not(make_rig):
    pace = PacingSettings(enabled=True)
    rig = make_rig(manners=Manners(None, pace, appliance="t1", now=time.time))
    rig.store(KEY, DATA)
    client = rig.client()
    (connection,) = _connections(rig, client)
    client.get(PATH, "CMCD-Object: br=5000,tb=8000,ot=v", "CMCD-Request: bl=40000")
    assert _rate(connection) == 8_000_000 * 1.5 / 8
    client.get(PATH, "CMCD-Object: br=5000,tb=8000,ot=v", "CMCD-Request: su")
    assert _rate(connection) == UNPACED


def _connections(rig, client):
    client.get("/healthz")
    return list(rig.worker._connections)


def _rate(connection):
    return int.from_bytes(connection.sock.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 4), "little")


def test_the_announced_next_object_is_asked_of_the_keeper_once(rig):
    rig.store(KEY, DATA)
    rig.keeper.accept([rig.disk])
    client = rig.client()
    for _ in range(2):
        assert client.get(PATH, 'CMCD-Request: nor="00002.m4s"')[2] == DATA
    assert rig.keeper.hear(link.Want) == link.Want("title/v720-1/00002.m4s")
    assert not [message for message in rig.keeper.heard if isinstance(message, link.Want)]
