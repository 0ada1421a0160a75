"""What the command line does: read files, write files, say what is in them.

`__main__` has the arguments. Here is no arithmetic, and what needs torch imports it
when it runs: `predict` and `show` never do.
"""
