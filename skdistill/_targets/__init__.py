"""What the student learns from: teachers, their logits, targets that were given.

Arrays go in and out. How a network is trained, and on which device, is not known here.
"""
