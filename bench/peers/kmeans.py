"""k-means on 4 columns, 8 centres: kmeans.py sklearn|river."""
import json, sys, time
import numpy as np

r = np.random.default_rng(7)
n = 1_000_000
centres = 10 * r.random((8, 4))
x = centres[r.integers(0, 8, n)] + r.normal(size=(n, 4))
if sys.argv[1] == "sklearn":
    from sklearn.cluster import MiniBatchKMeans
    m = MiniBatchKMeans(8, batch_size=1024, n_init=1, random_state=1)
    t, c = time.time(), time.process_time()
    for i in range(0, n, 1024):
        m.partial_fit(x[i:i + 1024])
    t1, c1 = time.time() - t, time.process_time() - c
    d = ((x - m.cluster_centers_[m.predict(x)]) ** 2).sum(1).mean()
    print(json.dumps({"batch_rows_per_s": n / t1, "batch_rows_per_cpu_s": n / c1, "batch_inertia": d}))
else:
    from river import cluster
    n = 40_000
    rows = [dict(enumerate(v)) for v in x[:n].tolist()]
    m = cluster.KMeans(n_clusters=8, seed=1)
    t, c = time.time(), time.process_time()
    for v in rows:
        m.predict_one(v)
        m.learn_one(v)
    print(json.dumps({"one_rows_per_s": n / (time.time() - t), "one_rows_per_cpu_s": n / (time.process_time() - c)}))
