"""The card of a profile in the frame of another system's page: where the operator allows it, and nowhere else."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from playwright.sync_api import Browser, expect

from api.app import create_app
from api.settings import Settings
from tests.api.inputting import send
from tests.api.seeding import add_customers
from tests.api.serving import answering
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


class CrmPage(BaseHTTPRequestHandler):
    frame: ClassVar[str] = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!doctype html><title>CRM</title><iframe src='{self.frame}' width=360></iframe>".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


def test_a_card_stands_in_the_frame_of_an_allowed_page_only(store: SeededStore, browser: Browser) -> None:
    amara = add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"]
    crm = ThreadingHTTPServer(("127.0.0.1", 0), CrmPage)
    threading.Thread(target=crm.serve_forever, daemon=True).start()
    allowed = f"http://localhost:{crm.server_port}"
    with answering(create_app(store.database_url, Settings(card_origins=(allowed,)))) as client:

        def frame() -> str:
            path = send(client, f"/v1/profiles/{amara}/card-tickets", None).json()["path"]
            return f"{str(client.base_url).rstrip('/')}{path}"

        CrmPage.frame = frame()
        page = open_page(browser, "light")
        page.goto(allowed)
        expect(page.frame_locator("iframe").get_by_role("heading", name="Amara Okafor")).to_be_visible()
        assert all("#" not in one.url for one in page.frames), "the ticket is gone from the address"
        CrmPage.frame = frame()
        page.goto(f"http://127.0.0.1:{crm.server_port}")  # the same server under a name that is not allowed
        expect(page.frame_locator("iframe").get_by_role("heading", name="Amara Okafor")).to_have_count(0)
        page.set_viewport_size({"width": 360, "height": 640})
        page.goto(frame())
        expect(page).to_have_url(re.compile("/card$"))  # the ticket is neither here nor in the history
        expect(page.get_by_role("list", name="Journey")).to_contain_text("Engage")
        fits(page)
        no_violations(page)
        screenshot(page, "card")
        page.context.close()
    crm.shutdown()
    crm.server_close()
