"""librdkafka's mock cluster in a process of its own: `python -m tests.chaos.kafka.cluster_process`.

CLUSTER_TOPIC and CLUSTER_PARTITIONS are made at once, for it can't be asked to; the first line on stdout are the
brokers. Nothing is kept longer than the process lives.
"""

import ctypes
import os
import sys
import threading

from confluent_kafka import cimpl

BROKERS = 3
FIRST_JOIN_MS = 500
"""How long the first member waits for others; shorter than a session, at whose end the cluster forgets who waits."""


def main() -> None:
    library = ctypes.CDLL(cimpl.__file__)  # finds librdkafka too, which the extension is linked to
    for function in (library.rd_kafka_new, library.rd_kafka_mock_cluster_new):
        function.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    why = ctypes.create_string_buffer(512)
    host = ctypes.c_void_p(library.rd_kafka_new(0, None, why, ctypes.c_size_t(len(why))))  # 0: a producer
    if not host:
        raise OSError(why.value.decode())
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(host, BROKERS))
    topic, partitions = os.environ["CLUSTER_TOPIC"].encode(), int(os.environ["CLUSTER_PARTITIONS"])
    if library.rd_kafka_mock_topic_create(cluster, topic, partitions, BROKERS):
        raise OSError(f"{topic!r} can't be made")
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, FIRST_JOIN_MS)
    sys.stdout.write(library.rd_kafka_mock_cluster_bootstraps(cluster).decode() + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
