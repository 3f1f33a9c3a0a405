"""Who wants to hear what, and what became of it: routes and page."""
