from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority.authority import Authority
from core.errors import ConfigurationError, SojournError
from edge.settings import read_settings
from tests.edge.listening import NAMESPACE

SOUND = f"""
store = "s1"
edge = "e1"
[broker]
url = "mqtt://127.0.0.1:1883"
[files]
keys = "/var/lib/sojourn/keys"
outbox = "/var/lib/sojourn/outbox.sqlite3"
[[adapter]]
name = "hci0"
anchor = "gw-1"
[[adapter]]
name = "hci1"
anchor = "gw-2"
[[hear]]
kind = "ibeacon"
namespace = "{NAMESPACE}"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(text)
    return path


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, SOUND))
    assert settings.anchors == ("gw-1", "gw-2")
    assert (settings.radio.scanning, settings.radio.silence_s) == ("active", 15.0)
    assert settings.connection().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('store = "s1"', "store = 1", "Expected `str`, got `int` - at `store`"),
        ('store = "s1"', 'store = "s1', "line 2"),
        ('store = "s1"', 'store = "a/b"', "dashes or underscores - at `store`"),
        ('store = "s1"', 'store = "s1"\nstroe = "s2"', "unknown field `stroe`"),
        ('"hci1"', '"hci0"', "Two adapters have the same adapter"),
        ('"gw-2"', '"gw-1"', "Two adapters have the same anchor"),
        ('"hci1"', '"../hci1"', "such as hci0 - at `adapter[1].name`"),
        ('kind = "ibeacon"', 'kind = "smoke signals"', "Invalid enum value 'smoke signals' - at `hear[0].kind`"),
        (NAMESPACE, "12", "32 hexadecimal digits"),
        (f'kind = "ibeacon"\nnamespace = "{NAMESPACE}"', 'kind = "private_address"', "Set irks in [files]"),
        ("mqtt://127.0.0.1:1883", "mqtt://broker.example", "would travel to broker.example unencrypted"),
        ("mqtt://127.0.0.1:1883", "http://broker.example", "mqtt://host:port"),
        ("mqtt://127.0.0.1:1883", "mqtt://me:secret@127.0.0.1", "a file of its own: password_file"),
        ('1883"', '1883"\ncertificate = "/x"', "go together"),
        ('1883"', '1883"\nca = "/x"', "Certificates are for mqtts://"),
        ('mqtt://127.0.0.1:1883"', 'mqtts://127.0.0.1"\nca = "/nowhere"', "TLS files of [broker] cannot be used"),
        ("[[adapter]]", "[radio]\nsilence_s = 1\n[[adapter]]", "Expected `float` >= 5.0 - at `radio.silence_s`"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in SOUND
    with pytest.raises(ConfigurationError) as refused:
        read_settings(written(tmp_path, SOUND.replace(old, new, 1)))
    assert sentence in str(refused.value)
    assert "edge.toml" in str(refused.value)


def test_each_section_says_what_is_wrong_in_it(tmp_path: Path) -> None:
    text = SOUND.replace('store = "', 'stor = "', 1).replace("[[hear]]", "[radio]\nsilence_s = 1\n[[hear]]", 1)
    with pytest.raises(ConfigurationError) as refused:
        read_settings(written(tmp_path, text))
    said = str(refused.value)
    assert "There is no setting `stor`" in said
    assert "`store` is missing" in said
    assert "Expected `float` >= 5.0 - at `radio.silence_s`" in said


def test_nothing_to_hear_and_no_adapters_are_refused(tmp_path: Path) -> None:
    head, _, _ = SOUND.partition("[[adapter]]")
    with pytest.raises(ConfigurationError, match="`adapter` is missing"):
        read_settings(written(tmp_path, head))
    with pytest.raises(ConfigurationError, match="Nothing would be heard"):
        read_settings(written(tmp_path, "hear = []\n" + SOUND.partition("[[hear]]")[0]))
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_settings(tmp_path / "nowhere.toml")


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    text = SOUND.replace('1883"', f'1883"\nusername = "e1"\npassword_file = "{password}"')
    password.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_settings(written(tmp_path, text))
    password.chmod(0o600)
    broker = read_settings(written(tmp_path, text)).connection()
    assert (broker.username, broker.password) == ("e1", "secret")
    assert "secret" not in repr(broker)

    own = enrolled(tmp_path)
    certificate, key = own / "certificate.pem", own / "key.pem"
    key.chmod(0o644)
    text = SOUND.replace('mqtt://127.0.0.1:1883"', f'mqtts://x"\ncertificate = "{certificate}"\nkey = "{key}"')
    with pytest.raises(ConfigurationError, match="key of the certificate"):
        read_settings(written(tmp_path, text))


def test_identity_resolving_keys_are_read_from_a_private_file(tmp_path: Path) -> None:
    irks = tmp_path / "irks"
    text = SOUND.replace("[files]", f'[files]\nirks = "{irks}"') + '[[hear]]\nkind = "private_address"\n'
    with pytest.raises(SojournError, match="No such file"):
        read_settings(written(tmp_path, text))
    irks.touch(mode=0o600)
    irks.write_text("ec0234a357c8ad05341010a60a397d9b\n")
    assert read_settings(written(tmp_path, text)).resolver().irk_of(bytes.fromhex("7081940dfbaa")) is not None
    for wrong in ("no key\n", "ec02\n"):
        irks.write_text(wrong)
        with pytest.raises(ConfigurationError, match="32 hexadecimal digits"):
            read_settings(written(tmp_path, text))


def enrolled(folder: Path) -> Path:
    """Return a folder with credentials of an edge."""
    own = folder / "credentials"
    Authority.create(folder / "authority", datetime.now(UTC)).enrol("s1", "e1", own, datetime.now(UTC))
    return own


def test_the_example_is_sound_but_for_its_paths(tmp_path: Path) -> None:
    own = enrolled(tmp_path)
    text = (Path(__file__).parents[2] / "deploy/edge.toml").read_text()
    settings = read_settings(written(tmp_path, text.replace("/etc/sojourn/broker", str(own))))
    assert settings.anchors == ("gw-entrance", "gw-checkout")
    assert settings.connection().tls
