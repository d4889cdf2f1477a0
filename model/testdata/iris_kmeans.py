"""Writes iris_kmeans.csv: for each of 200 splits of iris, how many of the 11 rows held out scikit-learn's KMeans has right.

Run beside the repository's examples with scikit-learn installed: python3 iris_kmeans.py > iris_kmeans.csv
The shuffle is a linear congruential generator that iris_test.go repeats.
"""
import csv
import os

import numpy as np
import sklearn
from sklearn.cluster import KMeans

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "iris", "iris.csv")
with open(path) as f:
    rows = list(csv.reader(f))[1:]
x = np.array([[float(v) for v in r[:4]] for r in rows])
y = np.array([int(r[4]) for r in rows])


def shuffled(seed):
    order, s = list(range(len(x))), seed
    for i in range(len(order) - 1, 0, -1):
        s = (1103515245 * s + 12345) % 2**31
        j = (s >> 8) % (i + 1)
        order[i], order[j] = order[j], order[i]
    return order


start = np.array([[6, 3, 1, 0], [6, 3, 2, 1], [6, 3, 3, 2]], float)
print("# scikit-learn " + sklearn.__version__)
print("seed,given_start,default_start")
for seed in range(1, 201):
    order = shuffled(seed)
    held, train = order[:11], order[11:]
    right = []
    for m in (
        KMeans(3, init=start, n_init=1).fit(x[train]),
        KMeans(3, n_init=10, random_state=seed).fit(x[train]),
    ):
        of = [np.bincount(y[train][m.labels_ == c], minlength=3).argmax() for c in range(3)]
        right.append(sum(of[c] == t for c, t in zip(m.predict(x[held]), y[held])))
    print(f"{seed},{right[0]},{right[1]}")
