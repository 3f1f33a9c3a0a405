"""Pure logic: no clock, no files, no sockets, no SQL. Imports nothing else of ours."""
