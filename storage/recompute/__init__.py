"""Recomputation of many days of many stores: what is to be done, what is done, and the switch that shows it.

runs.py    runs, their stores and tasks
switch.py  changes that wait, and the one transaction that makes them visible
"""
