"""Gateways bought elsewhere: what they publish, translated, under pseudonyms, into the outbox of an edge.

One module for each format (`heard.Translator`), one bridge behind all of them. Why it stands on the edge's side of
the broker: docs/adr/0010-who-pseudonymises-gateways.md.
"""
