"""The checker can fail: each mutant is caught in a scenario that the product itself passes."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.wire import encode
from edge.broker import Broker
from edge.tls import use_tls
from servers.provide import Installed
from storage.connect import connect
from storage.log.ingest_status import load_status
from tests.chaos import checker
from tests.chaos.house import STORE, House, await_that, house
from tests.chaos.journal import Journal
from tests.chaos.mutants import MUTANTS
from tests.ingest import world
from tests.ingest.edge_double import EdgeDouble

pytestmark = [pytest.mark.chaos, pytest.mark.servers, pytest.mark.timeout(120)]
_BOOT: Final = b"\7" * 16
_BEFORE: Final = b"\6" * 16
_LAST: Final = b"\5" * 16
_NOBODY: Final = 0x10  # PUBACK "No matching subscribers"


@pytest.fixture
def of(installed: Installed, tmp_path: Path) -> Iterator[House]:
    world.warm_kernels()
    with house(installed, tmp_path, seed=1) as made:
        yield made


class Source:
    """A publisher without an outbox: once the broker has taken a message for ingest, the rest is up to those two."""

    def __init__(self, of: House, journal: Journal) -> None:
        self._topic = f"sojourn/1/{STORE}/plain/signals"
        self._journal = journal
        self._reasons: dict[int, int] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "plain", protocol=paho.MQTTv5)
        self._client.on_publish = lambda _c, _d, mid, reason, _p: self._reasons.update({mid: reason.value})
        self._client.reconnect_delay_set(1, 1)
        broker = Broker.from_url(of.broker.url, of.credentials_of("plain"))
        use_tls(self._client, broker)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def send(self, *sequences: int, boot: bytes = _BOOT, journaled: bool = True) -> None:
        """Publish until the broker has each of them for somebody."""
        for sequence in sequences:
            batch = world.batch(sequence, boot=boot)
            payload = encode(batch)
            await_that(lambda payload=payload: self._taken(payload), f"the broker to take batch {sequence}")  # type: ignore[misc]
            if journaled:
                self._journal.accept("plain", boot, sequence, payload, signals=1, at_ns=int(batch.ts[0]))

    def _taken(self, payload: bytes) -> bool:
        sent = self._client.publish(self._topic, payload, qos=1)
        pause = threading.Event()
        for _ in range(40):
            if sent.mid in self._reasons:
                break
            pause.wait(0.025)
        return self._reasons.get(sent.mid, 0xFF) < _NOBODY

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def broken_log(of: House, journal: Journal, source: Source) -> list[str]:
    """What the checker says of the log once nothing more comes.

    That is so once the log has a last message that the broker took when everybody else had given away what they had:
    the broker brings it behind whatever it still held for ingest.
    """
    source.send(1, boot=_LAST)

    def last() -> bool:
        with connect(of.url) as connection:
            return any(boot == _LAST for (_, boot, _), _ in checker.logged(connection).rows)

    await_that(last, "the last message")
    with connect(of.url) as connection:
        return checker.check_log(journal, checker.logged(connection))


def await_subscribed(of: House) -> None:
    """Wait until an ingest that starts from now on has the broker."""
    begun_ns = time.time_ns()

    def subscribed() -> bool:
        with connect(of.url) as connection:
            status = load_status(connection)
            return status is not None and status.broker_connected and status.started_at >= begun_ns

    await_that(subscribed, "ingest to subscribe")


def killed_in_commit(of: House, mutant: str) -> list[str]:
    """Ingest dies while it commits what a source without an outbox has sent."""
    journal, hold = Journal(), of.folder / "hold"
    of.worker.start(CHAOS_MUTANT=mutant, CHAOS_HOLD=str(hold))
    await_subscribed(of)
    source = Source(of, journal)
    source.send(1, 2, 3)
    await_that((of.folder / "hold.1").exists, "a commit under way")
    threading.Event().wait(0.3)  # for what was acknowledged to be on its way
    of.worker.end(signal.SIGKILL)
    of.worker.start(CHAOS_MUTANT=mutant)
    try:
        return broken_log(of, journal, source)
    finally:
        source.close()


def out_of_order(of: House, mutant: str) -> list[str]:
    """A batch comes behind its successors; its edge sends it until ingest says that it has it."""
    journal = Journal()
    of.worker.start(CHAOS_MUTANT=mutant)
    await_subscribed(of)
    edge = EdgeDouble(of.broker.url, STORE, "plain", of.credentials_of("plain"))
    try:
        payloads = {sequence: encode(world.batch(sequence, boot=_BOOT)) for sequence in range(1, 7)}
        for sequence, payload in payloads.items():
            journal.accept("plain", _BOOT, sequence, payload, signals=1, at_ns=sequence)
        edge.hello()
        edge.await_acknowledged(
            1
        )  # a connection that is new sends what waits: it would bring the third before the fourth
        edge._outbox.append((_BOOT, 3, payloads[3]))  # kept, and lost on its first way
        edge.send(*(payload for sequence, payload in payloads.items() if sequence != 3))
        edge.drain()
    finally:
        edge.close()
    with closing(Source(of, journal)) as source:
        return broken_log(of, journal, source)


def broker_forgets(of: House, mutant: str) -> list[str]:
    """The broker acknowledges to an edge, keeps for an ingest that is away, and is killed."""
    of.worker.start()
    await_subscribed(of)
    of.worker.end(signal.SIGKILL)
    edge = of.edges["north"]
    edge.start(CHAOS_MUTANT=mutant)
    of.await_accepted(10)
    of.broker.kill()
    of.forget_sessions()
    of.broker.start()
    of.worker.start()
    await_subscribed(of)
    edge.tell("halt")
    edge.stop()
    journal = of.journal()
    with closing(Source(of, journal)) as source:
        return broken_log(of, journal, source)


def derived_again(of: House, mutant: str) -> list[str]:
    """Ingest is killed after it has written visits, and its snapshots are gone."""
    journal = Journal()
    of.worker.start(CHAOS_MUTANT=mutant)
    edge = EdgeDouble(of.broker.url, STORE, "plain", of.credentials_of("plain"))
    try:
        for sequence, payload in enumerate(world.walks(1, _BOOT, batches=60), start=1):
            journal.accept("plain", _BOOT, sequence, payload, signals=60, at_ns=sequence)
            edge.send(payload)
        edge.drain()

        def written() -> bool:
            with connect(of.url) as connection:
                return connection.execute("select 1 from zone_visit limit 1").fetchone() is not None

        await_that(written, "visits")
        of.worker.end(signal.SIGKILL)
        with connect(of.url) as connection:
            connection.execute("delete from engine_snapshot")
        of.worker.start(CHAOS_MUTANT=mutant)
        edge.send(encode(world.batch(61, boot=_BOOT)))
        edge.drain()
        of.worker.end(signal.SIGTERM)
        with connect(of.url) as connection:
            return checker.check_visits(connection, of.store_no)
    finally:
        edge.close()


def session_lost_in_commit(of: House, mutant: str) -> list[str]:
    """The broker is killed and forgets its sessions while ingest commits; what comes next bears the same numbers."""
    journal, hold = Journal(), of.folder / "hold"
    of.worker.start(CHAOS_MUTANT=mutant, CHAOS_HOLD=str(hold))
    await_subscribed(of)
    source = Source(of, journal)
    source.send(
        1, 2, 3, boot=_BEFORE, journaled=False
    )  # the broker is to lose them, and a source without an outbox with it
    await_that((of.folder / "hold.1").exists, "a commit under way")
    of.broker.kill()
    of.forget_sessions()
    of.broker.start()
    if mutant:
        source.send(1, 2, 3)
        hold.with_suffix(".go").touch()
    else:  # it only subscribes again once the commit is done
        hold.with_suffix(".go").touch()
        source.send(1, 2, 3)
    await_that((of.folder / "hold.2").exists, "the next commit")
    threading.Event().wait(0.3)
    of.worker.end(signal.SIGKILL)
    of.worker.start(CHAOS_MUTANT=mutant)
    try:
        return [sentence for sentence in broken_log(of, journal, source) if "accepted and not logged" in sentence]
    finally:
        source.close()


SCENARIOS: Final[dict[str, tuple[Callable[[House, str], list[str]], str]]] = {
    "ack_before_commit": (killed_in_commit, "accepted and not logged"),
    "highest_cursor": (out_of_order, "accepted and not logged"),
    "delete_on_puback": (broker_forgets, "accepted and not logged"),
    "visits_inserted_anew": (derived_again, "visits stand there twice"),
    "stale_acks": (session_lost_in_commit, "accepted and not logged"),
}
"""By mutant: what is done, and the sentence that says that it was caught."""


def test_every_mutant_has_a_scenario() -> None:
    assert SCENARIOS.keys() == MUTANTS.keys()


@pytest.mark.parametrize("mutant", SCENARIOS)
def test_the_checker_catches(of: House, mutant: str) -> None:
    scenario, sentence = SCENARIOS[mutant]
    assert any(sentence in said for said in scenario(of, mutant))


@pytest.mark.parametrize("mutant", SCENARIOS)
def test_the_product_passes_where_the_mutant_is_caught(of: House, mutant: str) -> None:
    scenario, _ = SCENARIOS[mutant]
    assert scenario(of, "") == []
