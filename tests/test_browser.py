"""What a person does in Prefect's own pages, done with a real browser."""

from pathlib import Path

import httpx
import pytest

from tests.support_browser import NO_BROWSER, Browser, browser
from tests.support_prefect import wait_until
from tests.support_road import Road

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(NO_BROWSER), reason=NO_BROWSER),
]


def _log_in(window: Browser, road: Road) -> None:
    pages = road.prefect.api_url.removesuffix("/api")
    settings = httpx.get(f"{pages}/ui-settings", trust_env=False, timeout=60).json()
    assert settings["api_url"] == road.prefect.api_url, "the pages would send the log-in to another server"
    window.open(pages)
    window.write("//input", road.prefect.server.auth_string)
    window.click("//button[normalize-space()='Login']")
    window.shows("Dashboard")


def test_retry_pressed_in_the_ui_runs_again_and_sends_nothing_twice(calm: Road, tmp_path: Path) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")
    run = calm.prefect.wait_for(calm.run_of(invoice).id)

    with browser(tmp_path / "profile") as window:
        _log_in(window, calm)
        window.click("//a[normalize-space()='Runs']")
        window.click(f"//a[contains(., 'invoice-issued {invoice.number}')]")
        window.shows("Told")
        window.click("//button[contains(., 'Open menu')]")
        window.click("//*[@role='menuitem' and normalize-space()='Retry']")
        window.click("//*[@role='alertdialog']//button[normalize-space()='Retry']")
        wait_until(lambda: calm.prefect.read_run(run.id).run_count == 2, "the run is under way again")
        ended = calm.prefect.wait_for(run.id)

    assert ended.state_name == "Told"
    assert len(calm.messages(invoice)) == 1
