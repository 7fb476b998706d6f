"""Which rows a folder takes, and with which features of one's own; open `missing.py` first."""
