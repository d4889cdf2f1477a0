"""k-means on 4 columns, 8 centres: kmeans.py sklearn|river."""
import json, sys, time
import numpy as np

r = np.random.default_rng(7)
n = 1_000_000
centres = 10 * r.random((8, 4))
x = centres[r.integers(0, 8, n)] + r.normal(size=(n, 4))
out = {}
if sys.argv[1] == "sklearn":
    import sklearn
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits
    # Tuned: one thread (with two the pool costs more than the work), no check of the input.
    with threadpool_limits(1), sklearn.config_context(assume_finite=True):
        for name, size in (("batch", 1024), ("batch16k", 16384)):
            m = MiniBatchKMeans(8, batch_size=size, n_init=1, random_state=1)
            t, c = time.time(), time.process_time()
            for i in range(0, n, size):
                m.partial_fit(x[i:i + size])
            out[name + "_rows_per_s"] = n / (time.time() - t)
            out[name + "_rows_per_cpu_s"] = n / (time.process_time() - c)
            out[name + "_inertia"] = ((x - m.cluster_centers_[m.predict(x)]) ** 2).sum(1).mean()
else:
    from river import cluster
    n = 40_000
    rows = [dict(enumerate(v)) for v in x[:n].tolist()]
    m = cluster.KMeans(n_clusters=8, seed=1)
    t, c = time.time(), time.process_time()
    for v in rows:
        m.predict_one(v)
        m.learn_one(v)
    out = {"one_rows_per_s": n / (time.time() - t), "one_rows_per_cpu_s": n / (time.process_time() - c)}
print(json.dumps(out))
