import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_page_is_drawn_with_a_real_font(page: Page) -> None:
    style = "font: 40px sans-serif; display: inline"
    page.set_content(f"<p style='{style}'>iiii</p><p style='{style}'>WWWW</p>")
    narrow, wide = (box["width"] for box in (place.bounding_box() for place in page.locator("p").all()) if box)
    assert wide > 2 * narrow  # without a font both are rows of equal boxes
