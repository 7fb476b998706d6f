"""What was said before in a dialogue, as vectors; open `order.py` first, then `vectors.py`."""
