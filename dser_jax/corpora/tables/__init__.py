"""A table in a file: how it is written, its rows, and what a cell says; nothing of any corpus."""
