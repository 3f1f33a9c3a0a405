"""What other systems hand in: rows by JSON and CSV."""
