"""A copy of the whole database, and the way back: pg_dump and pg_restore, with what TimescaleDB asks for."""
