"""The same segments over TLS, by OpenSSL's client."""

import datetime
import os
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from control.kit.errors import ConfigError
from oca.front.certificates import CertificateFiles, Certificates, choose, names_of

KEY = "title/v720-1/00001.m4s"
DATA = os.urandom(3_000_000)
DAY = datetime.timedelta(days=1)


def make_certificate(directory, *names, stem=None):
    """A self-signed certificate for `names`; files and the certificate for clients to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = CertificateFiles(directory / f"{stem or names[0]}.pem", directory / f"{stem or names[0]}.key")
    files.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def client_context(files, version=None):
    context = ssl.create_default_context(cafile=files.chain)
    context.set_alpn_protocols(["http/1.1"])
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


@pytest.fixture
def edge(tmp_path):
    return make_certificate(tmp_path, "edge.example", "*.edge.example")


def over_tls(rig, context, name="edge.example", session=None):
    client = rig.client(tls=True)
    client.sock = context.wrap_socket(client.sock, server_hostname=name, session=session)
    return client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_segments_and_ranges_come_over_both_versions(make_rig, edge, version):
    rig = make_rig(certificates=Certificates((edge,), ticket_secret=b"s"))
    rig.store(KEY, DATA)
    client = over_tls(rig, client_context(edge, version))
    assert client.sock.selected_alpn_protocol() == "http/1.1"
    assert client.get("/s/" + KEY)[2] == DATA
    assert client.get("/s/" + KEY)[2] == DATA
    assert client.get("/s/" + KEY, "Range: bytes=100000-199999")[2] == DATA[100_000:200_000]
    assert client.get("/s/" + KEY, "Range: bytes=0-9,-10")[0] == 206
    assert client.get("/s/nowhere")[0] == 404


def test_a_slow_reader_over_tls_gets_every_byte(make_rig, edge):
    rig = make_rig(certificates=Certificates((edge,), ticket_secret=b"s"))
    rig.store(KEY, DATA)
    client = rig.client(tls=True, receive_buffer=16384)
    client.sock = client_context(edge).wrap_socket(client.sock, server_hostname="edge.example")
    other = over_tls(rig, client_context(edge))
    client.send(f"GET /s/{KEY} HTTP/1.1\r\nHost: t\r\n\r\n")
    assert other.get("/s/" + KEY)[2] == DATA
    assert client.answer()[2] == DATA


def test_the_certificate_follows_the_name_asked_for(tmp_path, make_rig, edge):
    second = make_certificate(tmp_path, "other.example")
    rig = make_rig(certificates=Certificates((edge, second), ticket_secret=b"s"))
    assert over_tls(rig, client_context(second), "other.example").get("/healthz")[0] == 200
    assert over_tls(rig, client_context(edge), "a.edge.example").get("/healthz")[0] == 200


def test_a_client_that_speaks_no_tls_is_dropped_and_counted(make_rig, edge):
    rig = make_rig(certificates=Certificates((edge,), ticket_secret=b"s"))
    client = rig.client(tls=True)
    client.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    rig.until(lambda: rig.worker.counters.handshakes_failed == 1, "counted")
    assert over_tls(rig, client_context(edge)).get("/healthz")[0] == 200


def test_tickets_of_an_earlier_period_are_not_accepted(make_rig, edge):
    certificates = Certificates((edge,), ticket_secret=b"s", lifetime_s=10.0**10)
    rig = make_rig(certificates=certificates)
    context = client_context(edge, ssl.TLSVersion.TLSv1_2)
    session = over_tls(rig, context).sock.session
    assert over_tls(rig, context, session=session).sock.session_reused
    certificates.rotate(10.0**11)
    certificates.rotate = lambda now: None
    assert not over_tls(rig, context, session=session).sock.session_reused


def test_plain_http_is_sent_to_https_when_asked_for(make_rig, edge):
    rig = make_rig(certificates=Certificates((edge,), ticket_secret=b"s"), redirect_port=8443)
    status, fields, _ = rig.client().get("/s/a/b/c?x=1")
    assert (status, fields["location"]) == (308, "https://t:8443/s/a/b/c?x=1")
    assert over_tls(rig, client_context(edge)).get("/healthz")[0] == 200


def test_a_session_of_one_worker_is_resumed_by_another(make_rig, edge):
    rigs = [make_rig(certificates=Certificates((edge,), ticket_secret=b"shared")) for _ in range(2)]
    context = client_context(edge, ssl.TLSVersion.TLSv1_2)
    first = over_tls(rigs[0], context)
    assert first.get("/healthz")[0] == 200
    second = over_tls(rigs[1], context, session=first.sock.session)
    assert rigs[0].worker.certificates.shared_tickets
    assert second.sock.session_reused


def test_certificates_that_cannot_be_read_say_which(tmp_path, edge):
    with pytest.raises(ConfigError, match=r"edge\.example\.key"):
        Certificates((CertificateFiles(edge.key, edge.chain),), ticket_secret=b"")


def test_names_are_matched_exactly_or_by_one_wildcard_label(edge):
    assert names_of(edge.chain) == ["edge.example", "*.edge.example"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    table = {"edge.example": context, "*.edge.example": context}
    assert choose(table, "EDGE.example.") is context
    assert choose(table, "a.edge.example") is context
    assert choose(table, "a.b.edge.example") is None
    assert choose(table, None) is None


def test_half_a_handshake_times_out(make_rig, edge):
    rig = make_rig(certificates=Certificates((edge,), ticket_secret=b"s"), header_timeout_s=0.2)
    client = rig.client(tls=True)
    client.send(b"\x16\x03\x01")
    assert client.ends()
    assert isinstance(client.sock, socket.socket)
