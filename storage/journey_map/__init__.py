"""What journeys of many customers are made of, read for all of them at once, and the segments that people named."""
