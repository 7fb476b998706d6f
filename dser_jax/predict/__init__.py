"""A model on new recordings: read, cut into utterances, transcribed, predicted, written."""
