"""River's logistic regression over the flights that land, each predicted at its scheduled departure and learned at its
landing: flights_river.py ROWS (0: the whole year). StandardScaler for numbers, OneHotEncoder for carrier, origin, dest."""
import csv, datetime, io, json, math, os, sys, time, zipfile
from river import compose, linear_model, optim, preprocessing

z = zipfile.ZipFile(os.path.join(os.environ["TIDEMILL_BENCH_REPO"], "examples", "flights", "flights.zip"))
rows, zero, n = [], datetime.datetime(2013, 1, 1), int(sys.argv[1])
for i, r in enumerate(csv.DictReader(io.TextIOWrapper(z.open("flights.csv")))):
    at = int((datetime.datetime(2013, int(r["month"]), int(r["day"]), int(r["hour"]), int(r["minute"])) - zero).total_seconds() // 60)
    rows.append((at, i, r))
if n:
    rows = sorted(rows, key=lambda v: v[0])[:n]
    rows.sort(key=lambda v: v[1])
data, events = [], []
for at, i, r in rows:
    if "NA" in (r["dep_delay"], r["arr_delay"], r["air_time"]):
        continue
    x = {k: float(r[k]) for k in ("month", "day", "hour", "minute", "distance")}
    x.update({k: r[k] for k in ("carrier", "origin", "dest")})
    events.append((at, 1, i, len(data)))
    events.append((max(at, at + int(r["dep_delay"]) + int(r["air_time"]) + 30), 0, i, len(data)))
    data.append((x, int(r["arr_delay"]) > 15))
events.sort()
m = (compose.Select("month", "day", "hour", "minute", "distance") | preprocessing.StandardScaler()) + (
    compose.Select("carrier", "origin", "dest") | preprocessing.OneHotEncoder()) | linear_model.LogisticRegression(optim.SGD(0.01))
open_, right, loss = {}, 0, 0.0
t, c = time.time(), time.process_time()
for _, asks, _, k in events:
    x, y = data[k]
    if asks:
        open_[k] = m.predict_proba_one(x)
        continue
    p = open_.pop(k).get(True, 0.5)
    right += (p > 0.5) == y
    loss -= math.log(max(p if y else 1 - p, 1e-15))
    m.learn_one(x, y)
t, c = time.time() - t, time.process_time() - c
print(json.dumps({"rows_per_s": len(data) / t, "rows_per_cpu_s": len(data) / c, "seconds": t, "accuracy": right / len(data), "logloss": loss / len(data)}))
