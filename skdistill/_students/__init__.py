"""What is trained to be shipped, and read again once it is.

A kind of student has a file. Where its targets come from is not known here.
"""
