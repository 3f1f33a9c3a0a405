"""Where people's data is, and how it goes: one registry for erasure, access export, retention and the data map."""
