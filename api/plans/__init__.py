"""Floor plans in and out: as JSON, as a picture, in an editor."""
