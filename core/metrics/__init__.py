"""The registry of named formulas."""
