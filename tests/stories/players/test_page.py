"""The page around the players: resuming, changing players, living without control, missing players, small screens."""

import asyncio

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]


async def test_another_device_resumes_where_the_first_one_was_closed(viewer):
    first = await viewer()
    await first.open(player="hls", profile="anna", device="tv", autoplay="1")
    await first.until(lambda now: now["current_time"] > 6)
    stopped_s = (await first.facts())["current_time"]
    await first.page.close(run_before_unload=True)

    second = await viewer()
    resumed_s = await resumed(second, stopped_s)

    assert resumed_s == pytest.approx(stopped_s, abs=1)
    await second.page.close()


async def resumed(viewer, stopped_s):
    """Where a new start begins, once control has the last report of the closed page."""
    async with asyncio.timeout(20):
        while True:
            await viewer.open(player="dash", profile="anna", device="phone", autoplay="1")
            facts = await viewer.started()
            if facts["resumed_ms"] / 1000 > stopped_s - 1:
                assert facts["current_time"] >= facts["resumed_ms"] / 1000 - 0.5
                return facts["resumed_ms"] / 1000


async def test_changing_the_player_goes_on_at_the_same_place(viewer):
    page = await viewer()
    await page.open(player="hls", profile="boris", autoplay="1")
    before = await page.until(lambda now: now["current_time"] > 5)

    await page.page.get_by_label("Shaka").check()
    after = await page.until(lambda now: now["session"] != before["session"] and now["ttff_ms"] is not None)

    assert after["current_time"] == pytest.approx(before["current_time"], abs=2)
    await page.page.close()


async def test_a_player_plays_on_while_control_steering_fill_and_origin_are_dead(fleet, viewer):
    services = ("control", "steering", "fill", "origin")
    page = await viewer()
    await page.open(player="hls", profile="clara", autoplay="1")
    start = await page.started()
    await fleet.kill(*services)
    try:
        later = await page.until(lambda now: now["current_time"] > start["current_time"] + 8)
        assert later["stalls"] == 0
        assert sum(later["bytes_by"].values()) > sum(start["bytes_by"].values())
        assert later["buffer_s"] > 10
    finally:
        await page.page.close()
        await fleet.start(*services)


async def test_without_the_players_the_page_says_how_to_get_them(viewer):
    page = await viewer()
    await page.page.route("**/players/*", lambda route: route.fulfill(status=404))
    await page.open(player="shaka", profile="dora")
    await page.page.locator("#begin:enabled").click()
    await page.page.get_by_role("alert").get_by_text("make demo").wait_for(timeout=5000)
    await page.page.close()


async def test_a_phone_sees_the_whole_page_without_scrolling_sideways(fleet, chromium):
    async with await chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True) as phone:
        page = await phone.new_page()
        await page.goto(fleet.url("control"))
        await page.locator(".poster").first.wait_for(timeout=5000)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
