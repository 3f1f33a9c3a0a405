"""Who may do what: principals, the table of routes and roles, login, sessions, keys, limits."""
