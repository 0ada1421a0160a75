"""How networks are trained, with torch and skorch: one alone, or many as one stack.

Neither teachers nor estimators are known here: only nets, rows, targets and seeds.
"""
