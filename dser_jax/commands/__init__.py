"""The subcommands of `dser`, one file each: `add` tells the parser, `run` carries it out.

What `run` needs it imports when it runs, so that `dser --help` answers at once. Open `base.py`
first, then `sweep.py`.
"""
