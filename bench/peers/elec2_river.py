"""River on Elec2, each row predicted and then learned."""
import csv, io, json, os, time, zipfile
from river import linear_model, naive_bayes, optim, preprocessing, tree

z = zipfile.ZipFile(os.path.join(os.environ["TIDEMILL_BENCH_REPO"], "examples", "streams", "elec2.zip"))
rows = list(csv.DictReader(io.TextIOWrapper(z.open(z.namelist()[0]))))
label = list(rows[0])[-1]
data = [({k: float(v) for k, v in r.items() if k != label}, r[label] == "UP") for r in rows]
out = {}
for name, m in (("logistic", preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.01))),
                ("hoeffding_tree", tree.HoeffdingTreeClassifier()), ("gaussian_nb", naive_bayes.GaussianNB())):
    right, c = 0, time.process_time()
    for x, y in data:
        right += m.predict_one(x) == y
        m.learn_one(x, y)
    out[name + "_rows_per_cpu_s"] = len(data) / (time.process_time() - c)
    out[name + "_accuracy"] = right / len(data)
print(json.dumps(out))
