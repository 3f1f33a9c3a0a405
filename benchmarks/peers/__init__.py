"""What a user would pick instead, one process each: `python -m benchmarks.peers NAME FOLDER`.

The job is the script that everybody writes first, gap sessions of the strongest anchor of five seconds: per device
and five seconds the anchor of the loudest reading; runs of the same anchor without a minute of silence are a session;
sessions of five seconds and more count. Peers get more than a user has: devices are small integers already, columns
lie in memory in the peer's own form, and only the job is timed. It decodes nothing: how right it is stands in the
accuracy grid.
"""
