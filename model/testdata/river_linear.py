"""Writes river_linear.csv: the intercept and the weights that River's linear models end with after each stream.

Run beside the repository's examples with River 0.26.1 installed: python3 river_linear.py > river_linear.csv
"""
import csv
import gzip
import io
import os
import zipfile

import river
from river import linear_model, optim, preprocessing

examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "streams")


def read(f):
    for row in csv.DictReader(io.TextIOWrapper(f)):
        *names, label = row
        yield {n: float(row[n]) for n in names}, row[label]


phishing = [(x, y == "1") for x, y in read(gzip.open(os.path.join(examples, "phishing.csv.gz")))]
with zipfile.ZipFile(os.path.join(examples, "segment.csv.zip")) as z:
    segments = list(read(z.open("segment.csv.zip")))

print("# River " + river.__version__)


def line(name, *numbers):
    print(",".join([name] + [repr(float(v)) for v in numbers]))


logistic = linear_model.LogisticRegression
linear = linear_model.LinearRegression
for name, m in {
    "momentum": logistic(optim.Momentum(0.1)),
    "rmsprop": logistic(optim.RMSProp(0.1)),
    "adagrad": logistic(optim.AdaGrad(0.1)),
    "adam": logistic(optim.Adam(0.1)),
    "l1": logistic(optim.SGD(0.01), l1=0.01),
    "l2": logistic(optim.SGD(0.01), l2=0.1),
    "clip": logistic(optim.SGD(0.1), clip_gradient=0.3, intercept_lr=0.05),
    "weights": logistic(optim.SGD(0.01)),
    "linear": linear(optim.SGD(0.01)),
    "linear adam": linear(optim.Adam(0.1), l2=0.01),
}.items():
    scaler = preprocessing.StandardScaler()
    for i, (x, y) in enumerate(phishing):
        scaler.learn_one(x)
        m.learn_one(scaler.transform_one(x), float(y) if name.startswith("linear") else y, w=1 + i % 3 if name == "weights" else 1)
    line(name, m.intercept, *(m.weights[k] for k in phishing[0][0]))

# River's softmax regression has no intercept, and learns a class only from its first row on: here all are there at once.
names = list(dict.fromkeys(y for _, y in segments))
m, scaler = linear_model.SoftmaxRegression(optim.SGD(0.01)), preprocessing.StandardScaler()
for y in names:
    m.weights[y]
for x, y in segments:
    scaler.learn_one(x)
    m.learn_one(scaler.transform_one(x), y)
for i, y in enumerate(names):
    line(f"softmax {i}", 0, *(m.weights[y][k] for k in segments[0][0]))
