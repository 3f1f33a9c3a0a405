"""Notes counted for reports: over time, by zone, and in cells that may leave the CRM."""
