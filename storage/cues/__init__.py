"""Service cues as they were told: the log, who has just arrived, and trials of policies."""
