"""The features of speech that a model reads: computed, measured by speaker, held against usual."""
