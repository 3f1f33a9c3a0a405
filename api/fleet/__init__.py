"""The fleet: every edge and anchor of a store as they are now, and what somebody has to look at."""
