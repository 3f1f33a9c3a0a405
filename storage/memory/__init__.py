"""What the memory of a customer is made of, and what follows from it: alerts, messages."""
