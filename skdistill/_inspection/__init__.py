"""What distillation cost and gained: an experiment, figures with intervals, pictures.

No estimator knows of it. Torch and matplotlib are imported by what needs them, when it
runs, so that asking for help or a wrong option does not cost their seconds.
"""
