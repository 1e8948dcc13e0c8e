"""Random programs, run with stock Django and with this engine: stock Django is the judge.

A program (`steps`) is a list of plain values. The same interpreter (`arm`, `actions`) runs it with
each engine, over databases of its own on one server, and writes down what every step answered,
raised and left visible to others. Without a fault both must have said the same (`comparison`).
With faults stock Django runs the program without them: what this engine may then say instead, and
what must be stored, are the laws in `laws`. What differs is made small (`minimise`) and printed as
a program again.

    scripts/differential --seed 7 --programs 2000 --driver pymysql --server mysql
"""
