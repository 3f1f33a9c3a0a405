"""The words of the command line, one module for each group; each word imports its room when it is called."""
