"""Recordings: tables of signals read, checked, converted and written."""
