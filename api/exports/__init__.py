"""What is known of customers, for other systems to take away."""
