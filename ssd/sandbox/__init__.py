"""Run model-written programs without letting them do harm or fake a success.

Three processes share the work. The caller (`sandbox.py`) hands programs to a few judges. A judge (`judge.py`) runs the
data set's own tests and starts one candidate per program. The candidate (`launch.py`, `candidate.py`) locks itself in,
runs the program and answers the judge's calls with plain data. Assertions are evaluated in the judge, on plain data,
so that nothing inside the candidate decides what passes.
"""
