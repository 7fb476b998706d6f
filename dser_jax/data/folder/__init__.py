"""The files of a prepared folder, one by one; open `manifest.py` first."""
