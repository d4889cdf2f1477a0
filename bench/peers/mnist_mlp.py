"""MLP 784-128-10 with Adam on MNIST from memory: mnist_mlp.py BATCH EPOCHS SEED plain|steps|tuned|sklearn."""
import gzip, json, os, resource, sys, time
import numpy as np

data = os.path.join(os.environ["TIDEMILL_BENCH_REPO"], "examples", "mnist", "")
images = lambda f: np.frombuffer(gzip.open(data + f).read(), np.uint8, offset=16).reshape(-1, 784)
labels = lambda f: np.frombuffer(gzip.open(data + f).read(), np.uint8, offset=8)
x, y = images("train-images-idx3-ubyte.gz"), labels("train-labels-idx1-ubyte.gz")
tx, ty = images("t10k-images-idx3-ubyte.gz"), labels("t10k-labels-idx1-ubyte.gz")
batch, epochs, seed, how = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def used():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


if how == "sklearn":
    from sklearn.neural_network import MLPClassifier
    import warnings
    warnings.simplefilter("ignore")
    m = MLPClassifier((128,), batch_size=batch, max_iter=epochs, learning_rate_init=0.001, random_state=seed)
    t, c = time.time(), used()
    m.fit(x / np.float32(255), y)
    t, c = time.time() - t, used() - c
    accuracy = m.score(tx / np.float32(255), ty)
else:
    import tensorflow as tf
    tf.keras.utils.set_random_seed(seed)
    tf.config.threading.set_intra_op_parallelism_threads(2)
    m = tf.keras.Sequential([tf.keras.Input((784,)), tf.keras.layers.Rescaling(1 / 255.), tf.keras.layers.Dense(128, activation="relu"), tf.keras.layers.Dense(10)])
    m.compile(optimizer="adam", loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
              **{"plain": {}, "steps": dict(steps_per_execution=75), "tuned": dict(steps_per_execution=75, jit_compile=True)}[how])
    ds = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch)
    if how != "plain":
        ds = ds.prefetch(tf.data.AUTOTUNE)
    start = m.get_weights()
    m.fit(ds.take(150), verbose=0)  # tracing and compiling are not counted
    m.set_weights(start)
    for v in m.optimizer.variables:
        if "learning_rate" not in v.path:
            v.assign(tf.zeros_like(v))
    t, c = time.time(), used()
    m.fit(ds, epochs=epochs, verbose=0)
    t, c = time.time() - t, used() - c
    accuracy = m.evaluate(tx, ty, verbose=0)[1]
n = 60000 * epochs
print(json.dumps({"images_per_s": n / t, "images_per_cpu_s": n / c, "accuracy": accuracy}))
