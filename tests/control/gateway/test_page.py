"""The web page and its players, as a browser fetches them."""

import gzip

import pytest


@pytest.fixture
def page(tmp_path):
    directory = tmp_path / "page"
    directory.mkdir()
    (directory / "index.html").write_text("<!doctype html><title>Watch</title>")
    (directory / "watch.js").write_text("export const answer = 42;\n" * 50)
    (directory / "notes.txt").write_text("not for browsers")
    (directory.parent / "secret.js").write_text("secret")
    return directory


@pytest.fixture
def players(tmp_path):
    directory = tmp_path / "players"
    for path in ("hls.js/dist/hls.min.js", "dashjs/dist/modern/umd/dash.all.min.js"):
        file = directory / "node_modules" / path
        file.parent.mkdir(parents=True)
        file.write_text(f"/* {path} */" * 200)
    return directory


async def test_the_page_comes_with_a_policy_that_allows_media_from_anywhere_and_scripts_from_here(bench, page):
    _, call = await bench.control(page=page)
    answer = await call("GET", "/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert (policy["connect-src"], policy["media-src"], policy["worker-src"]) == ("*", "* blob:", "blob:")


async def test_files_of_the_page_have_their_types_and_only_those(bench, page):
    _, call = await bench.control(page=page)
    assert (await call("GET", "/page/watch.js")).headers["Content-Type"] == "text/javascript; charset=utf-8"
    for path in ("/page/notes.txt", "/page/none.js", "/page/..%2fsecret.js", "/page/.hidden.js"):
        assert (await call("GET", path)).status == 404, path


async def test_a_file_is_compressed_for_those_who_take_it_and_not_sent_again(bench, page):
    _, call = await bench.control(page=page)
    plain = await call("GET", "/page/watch.js", headers={"Accept-Encoding": "identity"})
    small = await call("GET", "/page/watch.js", headers={"Accept-Encoding": "gzip, br"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body == (page / "watch.js").read_bytes()
    assert plain.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != small.headers["ETag"]
    headers = {"Accept-Encoding": "gzip", "If-None-Match": small.headers["ETag"]}
    again = await call("GET", "/page/watch.js", headers=headers)
    assert (again.status, again.body) == (304, b"")


async def test_a_page_that_changed_is_served_anew(bench, page):
    _, call = await bench.control(page=page)
    first = await call("GET", "/")
    (page / "index.html").write_text("<!doctype html><title>Watch this</title>")
    second = await call("GET", "/", headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status, b"Watch this" in second.body) == (200, True)


async def test_players_are_served_small_and_kept_long(bench, page, players):
    _, call = await bench.control(page=page, players=players)
    for name in ("hls.min.js", "dash.all.min.js"):
        answer = await call("GET", f"/players/{name}", headers={"Accept-Encoding": "gzip"})
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
        assert "max-age=604800" in answer.headers["Cache-Control"]


async def test_players_that_are_not_there_are_a_problem_that_says_how_to_get_them(bench, page, players):
    _, call = await bench.control(page=page, players=players)
    answer = await call("GET", "/players/shaka-player.compiled.js")
    assert (answer.status, answer.json["type"]) == (404, "tag:oca,2026:players-not-installed")
    assert f"npm install) in {players}" in answer.json["detail"]
    assert (await call("GET", "/players/evil.js")).json["title"] == "No such player"


async def test_without_the_setting_the_page_has_no_players(bench, page):
    _, call = await bench.control(page=page)
    answer = await call("GET", "/players/hls.min.js")
    assert (answer.status, answer.json["detail"]) == (404, "the setting `players` is null")
