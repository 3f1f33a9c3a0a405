"""Reports on notes: counts over time, tags beside dwell, task lists; inside the CRM, and as they may leave it."""
