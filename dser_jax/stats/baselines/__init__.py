"""What a network has to beat: the mean, ridge regression, SVR, kernel ridge, as rows of a journal.

Each predicts one attribute at a time, from speech (functionals; of sequences their means and
deviations over frames), from text (tf-idf of its words, and features of it that a network reads in
their place) or from both side by side. They see what a
network sees: its split, its labels, its protocol. Each comes twice, as it is and *stretched* to the
spread of the labels on validation, since least squares shrinks predictions to the mean, which the
CCC punishes.

One setting is chosen, on validation alone, for each attribute and row of the table, by the CCC of
that row's own predictions: the penalty of ridge (`ALPHAS`), the cost of SVR (`COSTS`), the penalty
of kernel ridge (`PENALTIES`). Where validation cannot tell, the middle of the grid is taken.

Open `planning.py` first: which baselines there are. Then, as data flows: `inputs.py`, `models.py`,
`fitting.py`.
"""
