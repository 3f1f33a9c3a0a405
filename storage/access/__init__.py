"""Accounts, sessions and keys, and as whom the database is asked."""
