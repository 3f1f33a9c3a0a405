"""The journey map of a segment of customers, the segments, and the journeys as a log for process mining."""
