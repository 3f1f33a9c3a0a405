"""The demo: one simulated store on real servers."""
