"""Signals of whole days as Parquet, in a folder or in S3: store=…/day=…/part.parquet, each with a manifest beside it.

places.py      a folder or a bucket, with writes that are whole or not there
partitions.py  one day of one store: its path, its manifest, its columns
writing.py     from the signal log into partitions
reading.py     partitions as decoding again reads them
workspace.py   a folder for copies while they are worked on
keeping.py     what goes: days beyond the policy, and people who were erased
"""
