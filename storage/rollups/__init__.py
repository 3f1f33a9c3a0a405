"""Visits counted by day and hour, kept equal to the visits whatever is written, corrected or withdrawn.

rules.py      who is left out, and since when
sources.py    which visits a count is about: those of a day, or what changed of it
counting.py   the counts themselves, in SQL
changes.py    counts of a day with what changed since
keeping.py    the stored counts are brought up to date, or frozen
"""
