"""Acoustic features that exist already, as .npy or CSV; open `loading.py` first."""
