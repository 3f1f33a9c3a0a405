"""Who looked at whom and who changed what: entries, their chain, and what erasure may change of them."""
