"""Formulas over visits: what may be asked, its answers, files and pages."""
