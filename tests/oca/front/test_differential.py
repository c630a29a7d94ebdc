"""The same bytes to our worker and to nginx: nothing that one of them reads in another way than the other.

A cache that sees more requests in some bytes than the server beside it is how requests are smuggled. So we
may refuse more than nginx does, and must never answer more, nor serve what nginx refuses.
"""

import contextlib
import itertools
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oca.link import messages as link

pytestmark = pytest.mark.nginx

FILES = {f"t/r-1/{name}.m4s": f"<{name}>".encode() for name in ("one", "two", "three", "secret")}
HANG_S = 8.0
QUIET_S = 0.01
OWN_REFUSALS = {400, 408, 431, 501, 505}
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
CONFIG = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/errors crit; worker_rlimit_nofile 512;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type application/octet-stream;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
  uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
  large_client_header_buffers 8 32k; keepalive_requests 100000;
  client_header_timeout 2s; client_body_timeout 2s; keepalive_timeout 2s; lingering_time 1s; lingering_timeout 1s;
  server {{
    listen 127.0.0.1:{port};
    location /s/ {{ alias {files}/; }}
    location = /healthz {{ return 200 '{{"status":"ok"}}'; }}
    location / {{ return 404; }}
  }}
}}
"""


@dataclass
class Answer:
    status: int
    closes: bool
    body: bytes


# -- the two servers ----------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started_nginx(directory, files):
    """A running nginx and its port; None when the port was taken meanwhile."""
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(CONFIG.format(dir=directory, files=files, port=port))
    process = subprocess.Popen(
        [shutil.which("nginx"), "-p", directory, "-e", directory / "errors", "-c", config], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + HANG_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), HANG_S):
            return process, port
        time.sleep(0.02)
    process.kill()
    process.wait(HANG_S)
    return None


@pytest.fixture
def nginx_port(tmp_path):
    files = tmp_path / "served"
    for key, data in FILES.items():
        (files / key).parent.mkdir(parents=True, exist_ok=True)
        (files / key).write_bytes(data)
    process, port = next(filter(None, (started_nginx(tmp_path, files) for _ in range(3))))
    yield port
    assert process.poll() is None, "nginx crashed"
    process.terminate()
    process.wait(HANG_S)


@pytest.fixture
def our_port(make_rig):
    """Our worker with a keeper that has nothing more."""
    rig = make_rig(header_timeout_s=1.0, idle_timeout_s=1.0)
    for key, data in FILES.items():
        rig.store(key, data)
    rig.keeper.accept([rig.disk])
    keeper = threading.Thread(target=refuse_all, args=(rig.keeper,), daemon=True)
    keeper.start()
    yield rig.port
    assert rig.thread.is_alive(), "the worker crashed"
    rig.worker.stop()
    keeper.join(HANG_S)


def refuse_all(keeper):
    deframer = link.Deframer()
    while data := keeper.sock.recv(65536):
        for message in deframer.feed(data):
            if isinstance(message, link.Want):
                keeper.say(link.Refused(message.key, 404, "no such object"))


def exchanged(port_by_name, parts):
    """What each server sends back for `parts`, then our end closed; a missing end of the answers is a hang."""
    socks = {socket.create_connection(("127.0.0.1", port), HANG_S): name for name, port in port_by_name.items()}
    heard, open_socks = dict.fromkeys(port_by_name, b""), set(socks)
    deadline = time.monotonic() + HANG_S
    left = list(parts)
    try:
        while open_socks:
            assert time.monotonic() < deadline, f"{[socks[each] for each in open_socks]} hang"
            ready, _, _ = select.select(open_socks, [], [], QUIET_S if left is not None else 0.5)
            for sock in ready:
                data = received(sock)
                heard[socks[sock]] += data
                if not data:
                    open_socks.remove(sock)
            if not ready and left is not None:
                left = say_next(socks, left)
    finally:
        for sock in socks:
            sock.close()
    return heard


def received(sock):
    try:
        return sock.recv(262144)
    except ConnectionResetError:
        return b""


def say_next(socks, left):
    """Send the next part, or that there are no more."""
    for sock in socks:
        with contextlib.suppress(OSError):
            if left:
                sock.sendall(left[0])
            else:
                sock.shutdown(socket.SHUT_WR)
    return left[1:] if left else None


# -- the judgement ------------------------------------------------------------------------------------


def answers(data):
    """The responses in `data`; no body in this test looks like a status line."""
    starts = [*(match.start() for match in STATUS_LINE.finditer(data)), len(data)]
    found = []
    for start, end in itertools.pairwise(starts):
        head, _, body = data[start:end].partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
        closes = re.search(rb"(?i)\nconnection: close", head) is not None
        found.append(Answer(int(head[9:12]), closes, body[: int(length.group(1))] if length else b""))
    return [each for each in found if each.status >= 200]


def same(ours, theirs):
    """Whether both serve the same. After an answer to HEAD nginx may send one of HTTP/0.9, which has no head."""
    return ours.status == theirs.status and (ours.body == theirs.body or not ours.body)


def disagreement(ours, theirs, data):
    """What a smuggler could use, None when there is nothing."""
    for number, answer in enumerate(ours):
        last = number == len(ours) - 1
        if answer.status in OWN_REFUSALS:
            if not last or not answer.closes:
                return f"goes on after {answer.status}"
        elif number >= len(theirs):
            return f"answers {len(ours)} where nginx answers {len(theirs)}"
        elif answer.status in {200, 206} and not same(answer, theirs[number]):
            # A body is never read here, but ends the connection; nginx reads it, and may find that it is none.
            if theirs[number].status == 400 and last and answer.closes and b"chunked" in data.lower():
                continue
            return f"serves {answer} where nginx says {theirs[number]}"
    return None


# -- what is asked ------------------------------------------------------------------------------------

SECRET = b"GET /s/t/r-1/secret.m4s HTTP/1.1\r\nHost: t\r\n\r\n"
PRIMER = b"GET /s/t/r-1/one.m4s HTTP/1.1\r\nHost: t\r\n\r\n"
some = st.sampled_from
mostly = lambda usual, *odd: some([usual] * (2 * len(odd)) + list(odd))  # noqa: E731
methods = mostly(b"GET", b"HEAD", b"POST", b"OPTIONS", b"get", b"CONNECT", b"DELETE", b"PRI", b"GET\x00", b"", b"G@T")
targets = some(
    b"/s/t/r-1/one.m4s|/s/t/r-1/two.m4s|/s/t/r-1/three.m4s?CMCD=bl%3D1|/s/t/r-1/absent.m4s|/healthz|/|*|"
    b"http://t/s/t/r-1/one.m4s|HTTP://T/s/t/r-1/two.m4s|http://u/s/t/r-1/one.m4s|http://t|http:///s/t/r-1/one.m4s|"
    b"http://t:80:80/s/t/r-1/one.m4s|http://x@t/s/t/r-1/one.m4s|https://t/healthz?x|t:80|//t/s/t/r-1/one.m4s|"
    b"/s/t/r-1/%6fne.m4s|/s/t%2fr-1/one.m4s|/s/t/r-1%2Fone.m4s|/s/t/r-1/one.m4s%00|/s/t/r-1/one%.m4s|/%73/t/r-1/one.m4s|"
    b"/s/t/../t/r-1/one.m4s|/s/t/r-1/./one.m4s|/s/%2e%2e/x|/s//t/r-1/one.m4s|/s/t/r-1/one.m4s/|/s/t/r-1/one.m4s#x|"
    b"/s/t\\r-1\\one.m4s|/s/t/r-1/one.m4s HTTP/1.1|/s/t/r-1/o\xffe.m4s|/s/t/r-1/one.m4s\x00|/s/t/r-1/one.m4s?\x01|"
    b"/s/t/r-1/one.m4s?a\tb|/../../etc/passwd|s/t/r-1/one.m4s|?".split(b"|")
) | st.integers(1, 20_000).map(lambda length: b"/s/" + b"x" * length)
versions = mostly(
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b"HTTP/1.10", b""
)
names = some(
    b"Content-Length|Transfer-Encoding|Host|Connection|X-A|content-length|Content_Length|Content-Length\x00|Expect|"
    b"Transfer-Encoding\t|\x0bTransfer-Encoding|TRANSFER-ENCODING|Upgrade|Range|Trailer|X\xff|X Y||@".split(b"|")
)
values = some(
    b"0|1|45|45, 45|+45|-1|0x2d|00045|45 |99999999999999999999|4 4||chunked|Chunked|chunked, chunked|gzip, chunked|"
    b'identity|chunked, identity|chunked;q=1|\x0bchunked|"chunked"|x|t|t:80|u|close|keep-alive|close, keep-alive|'
    b"keep-alive, close|upgrade|h2c|bytes=0-1|100-continue|\x00|a\rb|\xff".split(b"|")
) | st.integers(1, 18_000).map(lambda length: b"v" * length)
colons = mostly(b": ", b":", b" : ", b":\t", b"")
line_ends = some([b"\r\n"] * 20 + [b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\t", b"\n\r\n"])
fields = st.builds(lambda *parts: b"".join(parts), names, colons, values, line_ends)
hosts = mostly(
    b"Host: t\r\n", b"", b"Host: t\r\nHost: t\r\n", b"Host: t\r\n folded\r\n", b"Host: t\n", b"Host: t, t\r\n"
)
bodies = mostly(
    *[b"", SECRET, b"0\r\n\r\n" + SECRET, b"5\r\nhello\r\n0\r\n\r\n", b"5;x\r\nhello\r\n0\r\nA: b\r\n\r\n"],
    *[b"2d\r\n" + SECRET + b"\r\n0\r\n\r\n", b"0\n\n" + SECRET, b"x" * 45, b"z" * 20_000, b"\r\n", b"\n"],
)
odd = st.builds(
    lambda method, gap, target, version, ending, host, more, body: b"".join(
        [method, gap, target, b" " if version else b"", version, ending, host, *more, b"\r\n", body]
    ),
    methods,
    mostly(b" ", b"  ", b"\t"),
    targets,
    versions,
    line_ends,
    hosts,
    st.lists(fields, max_size=3),
    bodies,
)
# Well formed but for how the body is framed, where smuggling begins.
LENGTH = b"Content-Length: 45"
framings = some(
    b"L|Content-Length: 0|Content-Length: 5|L\r\nContent-Length: 0|Content-Length: +45|L, 45|Content-Length: 0x2d|"
    b"Transfer-Encoding: chunked|L\r\nTransfer-Encoding: chunked|Transfer-Encoding : chunked|Content-Length:|"
    b"Transfer-Encoding: xchunked|Transfer-Encoding:\r\n chunked|X: y\rL|X: y\nL|Expect: 100-continue\r\nL".split(b"|")
).map(lambda fields: re.sub(rb"\bL\b", LENGTH, fields))
framed = st.builds(
    lambda method, framing, body: b"%b /s/t/r-1/two.m4s HTTP/1.1\r\nHost: t\r\n%b\r\n\r\n%b" % (method, framing, body),
    some([b"GET", b"POST", b"HEAD"]),
    framings,
    bodies,
)


@st.composite
def streams(draw):
    """Some requests in a row, at times with one byte changed, and at times in two parts."""
    data = b"".join(draw(st.lists(framed | odd | some([SECRET, PRIMER]), min_size=1, max_size=4)))
    place = draw(st.integers(0, len(data) - 1))
    match draw(some(["as is", "as is", "put", "take", "cut", "prime"])):
        case "put":
            return [data[:place] + draw(some([b"\r", b"\n", b"\0", b" ", b":", b"\x80"])) + data[place:]]
        case "take":
            return [data[:place] + data[place + 1 :] or b"\n"]
        case "cut":
            return [data[: place + 1], data[place + 1 :] or b"\n"]
        case "prime":
            return [PRIMER, data]
    return [data]


def test_we_never_answer_what_nginx_does_not(our_port, nginx_port):
    @settings(max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=HealthCheck)
    @given(streams())
    @example([SECRET * 3])
    @example([PRIMER, PRIMER])
    def agree(parts):
        heard = exchanged({"we": our_port, "nginx": nginx_port}, parts)
        ours, theirs = answers(heard["we"]), answers(heard["nginx"])
        assert disagreement(ours, theirs, b"".join(parts)) is None, (parts, ours, theirs)

    agree()


def test_an_empty_host_is_refused_as_nginx_does(our_port, nginx_port):
    heard = exchanged({"we": our_port, "nginx": nginx_port}, [SECRET.replace(b"Host: t", b"Host: ")])
    assert [answer.status for answer in answers(heard["nginx"])] == [400]
    assert [answer.status for answer in answers(heard["we"])] == [400]
