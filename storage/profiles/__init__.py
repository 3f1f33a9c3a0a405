"""Tables of profiles, what is known of them, and their visits."""
