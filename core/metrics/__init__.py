"""The registry of named formulas, and what may be told of their results.

formulas.py    what each number means: id, version, words, unit, parameters
presets.py     the thresholds that other products publish
bins.py        dwell counted in bins of stated width: what quantiles and shares are made of
cells.py       counts of a bucket, and the formulas over them
crowd.py       how many are in a store at once
disclosure.py  small counts that stay hidden
"""
