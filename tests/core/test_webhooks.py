"""Where webhooks may go, and when one that failed is tried again."""

from ipaddress import ip_address

import pytest

from core.errors import ConfigurationError, InputError
from core.webhooks import ATTEMPTS, check_event_type, check_known, check_url, read_networks, wait_s, why_refused

PRIVATE = (
    "127.0.0.1", "10.0.0.7", "172.16.3.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fd00::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "fec0::1", "5f00::1", "192.0.0.192", "192.0.0.9", "::ffff:192.0.0.192", "64:ff9b::c000:c0", "3fff::1",
    "3fff:fff::1", "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_however_it_is_written(address: str) -> None:
    assert why_refused(ip_address(address), (), secure=True) == "The address is private."


def test_a_public_one_needs_https_and_an_allowed_one_nothing() -> None:
    for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2606:4700::5efe:8.8.8.8"):
        assert why_refused(ip_address(address), (), secure=True) == ""
        assert why_refused(ip_address(address), (), secure=False)
    allowed = read_networks("10.1.0.0/16, 127.0.0.1 fd00::/8")
    for address in ("10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "fd12::1"):
        assert why_refused(ip_address(address), allowed, secure=False) == ""
    for address in ("10.2.0.1", "127.0.0.2", "fe80::1"):
        assert why_refused(ip_address(address), allowed, secure=False)
    with pytest.raises(ConfigurationError, match=r"10\.1\.0\.0/16"):
        read_networks("10.1.0.0/99")


@pytest.mark.parametrize(
    "url",
    ["ftp://a.test/", "https://", "https://a.test/#x", "https://u:p@a.test/", "https://a.test:99999/", "javascript:1",
     "https://10.0.0.1/", "http://[::1]:8080/", "https://a.test/ x", "https://a.test/ä",
     "https://a.test/" + "x" * 2000],
)  # fmt: skip
def test_what_is_no_target_is_refused_at_once(url: str) -> None:
    with pytest.raises(InputError):
        check_url(url)


def test_an_event_that_nobody_tells_is_not_subscribed_to() -> None:
    assert check_known("service_cue.shown") == "service_cue.shown"
    for name in ("visit.ended", "service_cue.shon", "X"):
        with pytest.raises(InputError):
            check_known(name)


def test_targets() -> None:
    assert check_url("https://crm.example:8443/hooks?a=1")
    assert check_url("http://10.0.0.1:8080/", read_networks("10.0.0.0/8"))


def test_types() -> None:
    assert check_event_type("service_cue.shown")
    for wrong in ("", "shown", "Cue.Shown", "a..b", "a.b\n", "a." + "b" * 100):
        with pytest.raises(InputError):
            check_event_type(wrong)


def test_ten_attempts_in_three_days() -> None:
    waits = [wait_s(attempts, 0.0) for attempts in range(1, ATTEMPTS + 1)]
    assert waits[0] == 5
    assert waits[-1] is None
    told = [one for one in waits if one is not None]
    assert len(told) == 9
    assert told == sorted(told)
    assert 3 * 86_400 < sum(told) < 4 * 86_400
    assert wait_s(1, 1.0) == 6
    assert wait_s(1, 0.0, asked_s=600) == 600
    assert wait_s(1, 0.0, asked_s=1e9) == 86_400
