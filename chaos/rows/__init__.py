"""The rows of both matrices, by topic. Every module here with a `ROWS` is found by itself."""
