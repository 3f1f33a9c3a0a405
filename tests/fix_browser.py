"""Chromium through Playwright."""
