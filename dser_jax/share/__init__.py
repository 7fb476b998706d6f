"""Trained networks as a folder to share: chosen from a journal, written, read, run."""
