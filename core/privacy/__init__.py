"""Pure rules of privacy: who was erased, what goes from a batch, how long each kind of data is kept."""
