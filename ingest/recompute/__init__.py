"""Days of many stores decoded again under one model, on as many processes as there are, and seen all at once.

It is `sojourn revise` in parts: the same decoding of a UTC day from its log (ingest.redecode), the same comparison
(ingest.revising), and the same revisions. Days are independent of each other, because each is decoded from 12 hours
before it to the end of the last spell that begins in it; nothing is shuffled between workers.

driving.py  makes or finds the run, has its tasks done, and switches
task.py     one day of one store
workers.py  this process, or workers of Dask
"""

from ingest.recompute.driving import recompute

__all__ = ["recompute"]
