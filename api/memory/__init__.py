"""Emotional memory: the feelings, wishes and promises of a customer, messages to her, and alerts about her."""
