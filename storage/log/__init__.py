"""The signal log and what ingest remembers beside it."""
