"""A real browser for tests: Chromium behind chromedriver, spoken to as w3.org/TR/webdriver2 lays down."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from tests.support_ports import free_port
from tests.support_prefect import wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")
CHROMEDRIVER = shutil.which("chromedriver") or ""
NO_BROWSER = "" if CHROMIUM and CHROMEDRIVER else "chromium or chromedriver is not on the PATH"

# The key under which the protocol wraps an element's id.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium's sandbox refuses to run as root, which tests in a container often are
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


class BrowserError(Exception):
    """The driver refused a command; the text is its own."""


class Browser:
    """One window. Elements are named by XPath; what is not there yet is waited for."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http = http
        self._session = session

    def open(self, url: str) -> None:
        """Go to an address."""
        self._post("url", url=url)

    def text(self) -> str:
        """The text of the page as a reader sees it."""
        return str(self._post("execute/sync", script="return document.body.innerText", args=[]))

    def shows(self, text: str) -> None:
        """Wait until the page shows ``text``."""
        wait_until(lambda: text in self.text(), f"the page shows {text!r}")

    def click(self, xpath: str) -> None:
        """Click on the first such element, as soon as it takes a click."""
        self._act(xpath, "click")

    def write(self, xpath: str, text: str) -> None:
        """Type into the first such element."""
        self._act(xpath, "value", text=text)

    def _act(self, xpath: str, action: str, **arguments: object) -> None:
        """Do it to an element; one that was redrawn or is still covered is looked for again."""

        def done() -> bool:
            try:
                for element in self._elements(xpath)[:1]:
                    self._post(f"element/{element}/{action}", **arguments)
                    return True
            except BrowserError:
                return False
            return False

        wait_until(done, f"{action} on {xpath}")

    def _elements(self, xpath: str) -> list[str]:
        found = cast("list[dict[str, str]]", self._post("elements", using="xpath", value=xpath))
        return [one[ELEMENT] for one in found]

    def _post(self, command: str, **arguments: object) -> Any:
        return _value(self._http.post(f"/session/{self._session}/{command}", json=arguments))


def _value(answer: httpx.Response) -> Any:
    value = answer.json()["value"]
    if not answer.is_success:
        raise BrowserError(f"{value['error']}: {value['message']}")
    return value


def _new_session(http: httpx.Client, flags: Sequence[str]) -> str:
    options = {"binary": CHROMIUM, "args": list(flags)}
    wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
    return str(_value(http.post("/session", json={"capabilities": wanted}))["sessionId"])


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/status").is_success
    except httpx.TransportError:
        return False


@contextmanager
def browser(profile: Path) -> Generator[Browser]:
    """A browser with a fresh profile in the folder ``profile``; ended with all its processes."""
    port = free_port()
    driver = subprocess.Popen(
        [CHROMEDRIVER, f"--port={port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
            wait_until(lambda: _answers(http), "chromedriver answers")
            session = _new_session(http, [*FLAGS, f"--user-data-dir={profile}"])
            try:
                yield Browser(http, session)
            finally:
                http.delete(f"/session/{session}")
    finally:
        os.killpg(driver.pid, signal.SIGTERM)
        driver.wait()
