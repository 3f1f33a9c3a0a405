"""What an audit entry says, how entries are chained, and what is unusual among them: pure."""
