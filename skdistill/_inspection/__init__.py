"""What distillation cost and gained: figures with intervals, and pictures of them.

No estimator knows of it, and matplotlib is imported by what draws, when it draws.
"""
