"""Who may speak at the broker: a private authority, what it has signed and revoked, and the broker's access list."""
