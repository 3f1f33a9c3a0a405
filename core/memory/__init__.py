"""What a customer felt, liked and was promised, and what may follow from it: pure, every statement with evidence."""
