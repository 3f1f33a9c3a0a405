"""Signals to visits: reorder, emission, decoder, visits, snapshot, engine."""
