"""Acoustic features, tokens and word vectors."""
