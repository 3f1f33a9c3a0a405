"""Who looked at whom: recorded with every request, shown to the privacy desk."""
