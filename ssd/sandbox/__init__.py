"""Run model-written programs safely, and score them by their data set's tests.

Three kinds of process share the work. The caller (`sandbox.py`) sends programs to judges. A judge (`judge.py`) runs the
tests of the data set and starts one candidate per program. The candidate (`launch.py`, `candidate.py`) confines itself,
runs the program and answers the judge's calls with plain data. Assertions are evaluated in the judge, so no code in
the candidate decides what passes. The package uses the standard library only.
"""
