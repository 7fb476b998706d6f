"""What makes frames of a recording, one file a library; what they share is `extractor.py`."""
