"""Who is in which part: folds of speakers, and labels that a part can be scored by."""
