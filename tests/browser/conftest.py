"""A real Chromium looks at the real web process, which serves hashed static files from the test's own database.

Anything that the content security policy refuses, and anything written to the console as an error, fails the test.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
import pytest_asyncio
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from deploy.local import chromium as local_chromium
from providers.config import StorageConfig
from providers.storage.objects import ObjectStore
from simulator import openai, storage
from simulator.state import SimulatorState
from tests.calls import made_calls
from tests.simulator.serving import Served, served

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_LIMIT_S = 90
expect.set_options(timeout=30_000)  # a deadline for what comes anyway: a busy machine is no failure
# What Chromium writes where somebody leaves a page whose socket is still being opened: nothing that the page could do better.
LEFT_AT_ONCE = "WebSocket is closed before the connection is established"
WIDE, NARROW = (1440, 900), (390, 844)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser that starts. On CI a missing one is a failure: a skipped test proves nothing."""
    path = local_chromium.find()
    if path is None:
        reason = "no Chromium here: install one (as root: apt-get install chromium), or name it in CHROMIUM"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Iterator[StorageConfig]:
    """The bucket that recordings are played from: the simulator's, over real sockets."""
    state = SimulatorState(scratch=tmp_path_factory.mktemp("recordings"))
    with served(state, storage.routes(state)) as server:
        config = replace(settings.RECORDING_STORE, endpoint_url=f"{server.http}/s3")
        ObjectStore(config).ensure_bucket()
        yield config


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def media_port() -> int:
    """Where the web process tells browsers that audio goes. Nobody is there unless a test serves it."""
    return _free_port()


@pytest.fixture(scope="session")
def minds(tmp_path_factory) -> Iterator[Served]:
    """The language models of the web process: the simulator's, over real sockets."""
    state = SimulatorState(scratch=tmp_path_factory.mktemp("minds"))
    state.change_settings({"llm_first_token_ms": 0, "llm_token_gap_ms": 0})
    with served(state, openai.routes(state)) as server:
        yield server


@pytest.fixture(scope="session")
def web(django_db_setup, django_db_blocker, recordings, media_port, minds, tmp_path_factory) -> Iterator[str]:
    """The root URL of a web process of its own, on the test database."""
    with django_db_blocker.unblock():
        name = connection.settings_dict["NAME"]
    parts = urlsplit(os.environ["DATABASE_URL"])
    port = _free_port()
    root = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{name}")),
        "WEB_PORT": str(port),
        # Not where this process looks: with the files there, every client of every later test would read the list of them anew.
        "STATIC_ROOT": str(tmp_path_factory.mktemp("static")),
        "WEBHOOK_BASE_URL": root,
        "AWS_S3_ENDPOINT_URL": recordings.endpoint_url,
        "MEDIA_BASE_URL": f"ws://127.0.0.1:{media_port}",
        "OPENAI_BASE_URL": f"{minds.http}/openai/v1",
        "MEDIA_LISTEN_ORIGINS": "ws://127.0.0.1:*",
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"]
    subprocess.run(collect, env=environment, check=True, timeout=START_LIMIT_S)
    process = subprocess.Popen([sys.executable, "-m", "voiceagents.serve", "web"], env=environment)
    try:
        _await_answer(process, f"{root}/healthz")
        yield root
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the web process ended at its start with code {process.returncode}; its output is above")
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the web process did not answer {url} within {START_LIMIT_S} s")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all tests here, so that they can share a browser: to start one takes longer than to open a page."""
    for item in items:
        if item.path.parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, web: str) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """Opens pages as a user, or as nobody; at the end the test fails if any of them complained."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    async def open_(path: str, user=None, *, size: tuple[int, int] = WIDE, allowed: tuple[str, ...] = ()) -> Page:
        context = await browser.new_context(
            base_url=web,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="light",
            reduced_motion="reduce",
            timezone_id="Asia/Kolkata",
        )
        context.set_default_timeout(45_000)
        contexts.append(context)
        if user is not None:
            cookie = await database_sync_to_async(_session_cookie)(user)
            await context.add_cookies([{"name": "sessionid", "value": cookie, "url": web}])
        page = await context.new_page()
        await page.add_init_script(WATCH_SHIFTS)

        def complain(text: str) -> None:
            if not any(part in text for part in (*allowed, LEFT_AT_ONCE)):
                complaints.append(f"{path}: {text}")

        page.on("console", lambda message: complain(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complain(str(error)))
        await page.goto(path)
        for complaint in await judge_arrival(page):
            complain(complaint)
        return page

    yield open_
    for context in contexts:
        await context.close()
    assert not complaints, "\n".join(complaints)


def _session_cookie(user) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


MOST_KB, MOST_SHIFT = 100, 0.05
# A score as Web Vitals count it, which call 0.1 good. The live page moves a little while its first news come.
WATCH_SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => { for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifted += shift.value })
    .observe({ type: "layout-shift", buffered: true });
"""
_ARRIVED = """async () => {
  await document.fonts.ready;
  const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity;
  const needed = performance.getEntriesByType("resource").filter((one) => one.responseEnd <= paint && one.initiatorType !== "audio");
  const own = [...performance.getEntriesByType("navigation"), ...needed].filter((one) => one.name.startsWith(location.origin));
  return { kb: own.reduce((sum, one) => sum + one.transferSize, 0) / 1000, shifted: window.shifted };
}"""


async def judge_arrival(page: Page) -> list[str]:
    """Every page of ours is painted for the first time with less than 100 kB of our own transfer, and then stands still."""
    arrived = await page.evaluate(_ARRIVED)
    if place := os.environ.get("ARRIVALS"):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(f"{arrived['kb']:.1f} kB, shifted {arrived['shifted']:.4f}: {urlsplit(page.url).path}\n")
    heavy = [f"first painted with {arrived['kb']:.0f} kB"] if arrived["kb"] > MOST_KB else []
    return heavy + ([f"shifted by {arrived['shifted']:.3f}"] if arrived["shifted"] > MOST_SHIFT else [])


AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
_JUDGED = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .filter((found) => ["serious", "critical"].includes(found.impact))
  .map((found) => `${found.id}: ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`)"""


async def axe(page: Page) -> list[str]:
    """What keeps people with screen readers, keyboards or weak eyes from using the page as it stands: serious and critical findings."""
    # Evaluated by the debugger, so the page's policy (no inline code) stays as it is; once for each document, as reading it takes time.
    if await page.evaluate("typeof axe === 'undefined'"):
        await page.evaluate(AXE)
    found: list[str] = await page.evaluate(_JUDGED)
    return found


@pytest.fixture
def do() -> Callable[..., Awaitable]:
    """Runs code that reads and writes rows beside the browser's event loop."""

    async def run(what, *args, **how):
        return await database_sync_to_async(what)(*args, **how)

    return run


@pytest.fixture
def operator(transactional_db):
    """An operator with a password that the web process can check: it does not know the tests' fast hashes."""
    user = made_calls.operator()
    user.password = PBKDF2PasswordHasher().encode(made_calls.PASSWORD, "salt0123456789ab", 1000)
    user.save()
    return user
