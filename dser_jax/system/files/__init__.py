"""Files that are whole or not there, and a folder's lock; open `atomic.py` first."""
