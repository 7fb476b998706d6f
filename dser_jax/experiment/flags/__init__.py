"""The flags of `dser sweep` and of the experiment files. Open `settings.py` first."""
