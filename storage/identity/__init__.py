"""Tables of consents, device links and the identity desk."""
