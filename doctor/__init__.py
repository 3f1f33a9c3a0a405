"""What `sojourn doctor` looks at, a module for each thing; each gives findings that say what to do."""
