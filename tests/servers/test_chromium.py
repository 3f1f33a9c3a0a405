from pathlib import Path

import pytest
from playwright.sync_api import Page

from servers.chromium import find_chromium, provide_chromium
from servers.errors import MachineError
from tests.servers.machines import path_with


@pytest.mark.browser
def test_a_page_is_drawn_with_a_real_font(page: Page) -> None:
    style = "font: 40px sans-serif; display: inline"
    page.set_content(f"<p style='{style}'>iiii</p><p style='{style}'>WWWW</p>")
    narrow, wide = (box["width"] for box in (place.bounding_box() for place in page.locator("p").all()) if box)
    assert wide > 2 * narrow  # without a font both are rows of equal boxes


@pytest.mark.parametrize("program", ["/nowhere/chromium", "/bin/true"])
def test_a_named_program_that_is_no_chromium(program: str) -> None:
    with pytest.raises(MachineError, match=r"SOJOURN_CHROMIUM names .*, which is no Chromium that runs"):
        find_chromium(environment={"SOJOURN_CHROMIUM": program})


def test_one_on_the_path_comes_before_one_to_fetch(tmp_path: Path) -> None:
    path = path_with(tmp_path / "bin", google_chrome="echo Google Chrome 150.0")
    found = provide_chromium(tmp_path / "home", environment={"PATH": path})
    assert found == tmp_path / "bin/google-chrome"
    assert not (tmp_path / "home").exists()


def test_a_snap_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "snap/bin").mkdir(parents=True)
    path_with(tmp_path / "snap/bin", chromium="echo Chromium 150.0 snap")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chromium").symlink_to(tmp_path / "snap/bin/chromium")
    assert find_chromium(tmp_path / "home", {"PATH": str(tmp_path / "bin")}) is None


def test_without_apt_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin", "sh"))
    with pytest.raises(MachineError, match="has no apt-get"):
        provide_chromium(tmp_path / "home")
