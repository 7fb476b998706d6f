"""Dimensional speech emotion recognition, with many training runs as lanes of one program.

The data flow, and the order in which modules may import each other::

    corpora    a corpus on disk            -> utterances with labels
    features   utterances                  -> acoustic features, tokens, word vectors
    prepare    both                        -> one prepared folder
    dataset    prepared folder, config     -> arrays, splits, scalers
    models     arrays                      -> predictions of valence, arousal, dominance
    loss       gold, predictions           -> the multitask CCC loss
    train      one run                     -> three pure functions: init, epoch, result
    program    lanes of such runs          -> one compiled program
    lanes      a queue of runs             -> outcomes; lanes refilled as runs end
    journal    finished runs               -> rows and arrays on disk
    merge      journals of parts           -> one journal
    stats      rows                        -> means, intervals, paired tests
    report     statistics                  -> tables and figures
"""

__version__ = "0.1.0"
