"""Shoppers, radio and whole stores that publish on the same wire as real ones; replay of recordings."""
