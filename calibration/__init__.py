"""The algorithms, free of I/O: sampling plans, surrogates, tasks and their search."""
