"""The doctor looks at Kafka: brokers, topic, group and lag; over TCP to a broker that speaks its protocol."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import sojourn
from core.errors import ConfigurationError
from doctor.findings import Finding
from servers.tansu import Tansu
from tests.ingest import world

pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed here")

from doctor.kafka import BEHIND, KafkaPlace, check_kafka, judge_lag, judge_members, lag_of
from ingest.kafka.topic import Kafka, create_topic


def place(servers: str, topic: str = "sojourn.edges", **settings: str) -> KafkaPlace:
    where = Kafka(servers=servers, topic=topic, group=world.name("group"), properties=settings)
    return KafkaPlace(client=where.client(), topic=where.topic, group=where.group)


def looked_at(where: KafkaPlace | ConfigurationError) -> dict[str, Finding]:
    return {finding.what: finding for finding in check_kafka(where)}


@pytest.mark.servers
def test_a_topic_that_is_there_and_one_that_is_not(kafka: Tansu) -> None:
    topic = world.name("edges")
    lacking = looked_at(place(kafka.servers, topic))
    assert (lacking["Kafka"].state, lacking["topic of Kafka"].state) == ("ok", "fail")
    assert "sojourn bridge --partitions" in lacking["topic of Kafka"].do
    create_topic(Kafka(servers=kafka.servers, topic=topic), partitions=4, replicas=1)
    found = looked_at(place(kafka.servers, topic))
    assert found["topic of Kafka"].says == "4 partitions, each on 1 broker."
    assert (found["group of Kafka"].state, found["group of Kafka"].says) == ("fail", "No ingest is in it.")
    assert "ingest --source kafka" in found["group of Kafka"].do
    assert found["lag of Kafka"].state == "ok"


def test_brokers_that_are_away_and_settings_that_are_none(capfd: pytest.CaptureFixture[str]) -> None:
    (away,) = check_kafka(place("127.0.0.1:9", **{"sasl.password": "verysecret"}))
    assert (away.state, "No broker answers" in away.says, "SOJOURN_KAFKA" in away.do) == ("fail", True, True)
    (unknown,) = check_kafka(place("nowhere.invalid:9092"))
    assert unknown.says == "Its host is not known here."
    (unread,) = check_kafka(place("127.0.0.1:9", **{"no.such.setting": "verysecret"}))
    assert (unread.state, "no.such.setting" in unread.says, "verysecret" in unread.says) == ("fail", True, False)
    (lacking,) = check_kafka(ConfigurationError("Kafka needs a package that is not here.", hint="Install it."))
    assert (lacking.state, lacking.do) == ("fail", "Install it.")
    assert capfd.readouterr().err == "", "librdkafka speaks through the findings alone"


def test_members_and_lag_are_judged() -> None:
    assert [judge_members(members, 4).state for members in (None, 0, 1, 4, 5)] == ["warn", "fail", "ok", "ok", "warn"]
    assert [judge_lag(lag).state for lag in (0, BEHIND, BEHIND + 1)] == ["ok", "ok", "warn"]
    # committed up to 7 of 10; never committed and kept from 3 on; nothing in it; cut off behind what was committed
    assert lag_of({0: 7, 1: -1001, 2: -1001, 3: 9}, {0: 0, 1: 3, 2: 0, 3: 0}, {0: 10, 1: 5, 2: 0, 3: 4}) == 5


def test_the_command_looks_at_it(tmp_path: Path) -> None:
    settings = tmp_path / "kafka.properties"
    settings.write_text("this is no setting\n")
    environment = {"SOJOURN_DATABASE_URL": "", "SOJOURN_MQTT_URL": "", "COLUMNS": "200"}
    words = ["doctor", "--kafka", "127.0.0.1:9"]
    shown = CliRunner().invoke(sojourn.app, words, env=environment)
    assert shown.exit_code == 1
    assert "No broker answers" in shown.output
    assert "→ Is it running, is SOJOURN_KAFKA right" in shown.output
    unread = CliRunner().invoke(sojourn.app, words, env={**environment, "SOJOURN_KAFKA_SETTINGS": str(settings)})
    assert unread.exit_code == 1
    assert "Line 1 of kafka.properties is no setting." in unread.output
