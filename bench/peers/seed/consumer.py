"""The stack's user program: reads MNIST rows from the topics that Debezium fills, trains a Keras model, evaluates, serves.

  consumer.py e2e     FORMAT --spe N                            wait for Kafka, read, one epoch (batch 32), read the test topic, evaluate
  consumer.py weights FORMAT --weights F                        weights from the files themselves, for serve
  consumer.py serve   FORMAT --weights F --expect N --out O     predict the next N rows of the test topic as they arrive

Environment: BOOTSTRAP, N_TRAIN, N_TEST, MNIST_DIR. Each result is one JSON line.
"""
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import argparse, binascii, gzip, json, threading, time
import numpy as np

TRAIN, TEST = "tf.public.mnist_train", "tf.public.mnist_test"


def say(**kw):
    print(json.dumps(kw), flush=True)


def decode_json(keys, vals):
    from orjson import loads
    rows = [loads(v) for v in vals]
    px = b"".join([binascii.a2b_base64(r["pixels"]) for r in rows])
    return np.frombuffer(px, np.uint8).reshape(-1, 784), np.fromiter((r["label"] for r in rows), np.int32, len(rows))


def decode_raw(keys, vals):
    return np.frombuffer(b"".join(vals), np.uint8).reshape(-1, 784), np.frombuffer(b"".join(keys), ">i2").astype(np.int32)


DECODE = {"json": decode_json, "raw": decode_raw}


class Reader:
    """One topic of one partition, from its beginning or its end."""
    def __init__(self, topic, at_end=False):
        from confluent_kafka import Consumer, TopicPartition, OFFSET_BEGINNING
        self.c = Consumer({"bootstrap.servers": os.environ["BOOTSTRAP"], "group.id": "mnistcg", "enable.auto.commit": False, "auto.offset.reset": "earliest",
                           "fetch.wait.max.ms": 100, "fetch.message.max.bytes": 8 << 20, "queued.max.messages.kbytes": 262144, "reconnect.backoff.ms": 20,
                           "reconnect.backoff.max.ms": 100, "topic.metadata.refresh.fast.interval.ms": 50, "log_level": 0})
        while True:  # until the broker is up and Connect has made the topic
            try:
                m = self.c.list_topics(topic, timeout=1).topics[topic]
                if m.partitions and not m.error:
                    break
            except Exception:
                pass
            time.sleep(0.05)
        at = self.c.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1] if at_end else OFFSET_BEGINNING
        self.c.assign([TopicPartition(topic, 0, at)])

    def some(self, limit=10000, wait=1.0):
        m = self.c.poll(wait)  # wait for one, then take what the client has queued
        if m is None:
            return [], []
        ms = [m for m in [m] + (self.c.consume(limit - 1, timeout=0) if limit > 1 else []) if not m.error()]
        return [m.key() for m in ms], [m.value() for m in ms]


def read_n(fmt, topic, n):
    """n rows as float32[n,784] in 0..1 and labels; decoded as they come."""
    r, x, y, k = Reader(topic), np.empty((n, 784), np.float32), np.empty(n, np.int32), 0
    while k < n:
        keys, vals = r.some(min(10000, n - k))
        if vals:
            px, lb = DECODE[fmt](keys, vals)
            np.multiply(px, np.float32(1 / 255), out=x[k:k + len(lb)])
            y[k:k + len(lb)] = lb
            k += len(lb)
    r.c.close()
    return x, y


class Box(threading.Thread):
    """Reads both topics in the background, from the moment the broker is there."""
    def __init__(self, fmt):
        super().__init__(daemon=True)
        self.fmt, self.trained_on = fmt, threading.Event()

    def run(self):
        self.x, self.y = read_n(self.fmt, TRAIN, int(os.environ["N_TRAIN"]))
        self.t_read = time.time()
        self.trained_on.set()
        self.tx, self.ty = read_n(self.fmt, TEST, int(os.environ["N_TEST"]))


def make_model(tf, **kw):
    m = tf.keras.Sequential([tf.keras.Input((784,)), tf.keras.layers.Dense(128, activation="relu"), tf.keras.layers.Dense(10)])
    m.compile(optimizer=tf.keras.optimizers.Adam(0.001), metrics=["accuracy"], loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), **kw)
    return m


def dataset(tf, x, y, batch):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).prefetch(tf.data.AUTOTUNE)


ap = argparse.ArgumentParser()
ap.add_argument("what", choices=["e2e", "weights", "serve"])
ap.add_argument("fmt", choices=list(DECODE))
ap.add_argument("--spe", type=int, default=1)
ap.add_argument("--weights")
ap.add_argument("--out")
ap.add_argument("--expect", type=int, default=0)
a = ap.parse_args()

if a.what == "e2e":
    box = Box(a.fmt)
    box.start()  # reads while TensorFlow is imported
import tensorflow as tf

if a.what == "e2e":
    m = make_model(tf, **(dict(steps_per_execution=a.spe, jit_compile=True) if a.spe > 1 else {}))
    box.trained_on.wait()
    m.fit(dataset(tf, box.x, box.y, 32), epochs=1, verbose=0)
    trained = time.time()
    box.join()
    acc = m.evaluate(dataset(tf, box.tx, box.ty, 1000), verbose=0)[1]
    say(stage="e2e", done=time.time(), read=box.t_read, trained=trained, acc=acc)
elif a.what == "weights":
    idx = lambda name, at: np.frombuffer(gzip.open(os.path.join(os.environ["MNIST_DIR"], name)).read(), np.uint8, offset=at)
    m = make_model(tf)
    m.fit(idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 784) / np.float32(255), idx("train-labels-idx1-ubyte.gz", 8).astype(np.int32), batch_size=64, epochs=1, verbose=0)
    m.save_weights(a.weights)
else:
    m = make_model(tf)
    m.load_weights(a.weights)
    predict = tf.function(lambda p: tf.argmax(m(tf.cast(p, tf.float32) / 255., training=False), axis=1, output_type=tf.int32),
                          input_signature=[tf.TensorSpec((None, 784), tf.uint8)])
    for n in (1, 2, 64, 1000):
        predict(tf.zeros((n, 784), tf.uint8))
    r = Reader(TEST, at_end=True)
    r.some(1, 0.3)  # opens the fetch session
    say(stage="serving")
    when, counts, right, labels = [], [], 0, []
    while sum(counts) < a.expect:
        keys, vals = r.some(1000, 0.2)
        if vals:
            px, lb = DECODE[a.fmt](keys, vals)
            p = predict(px).numpy()
            when.append(time.time())
            counts.append(len(lb))
            right += int((p == lb).sum())
            labels.append(lb)
    np.savez(a.out, t=np.repeat(np.array(when), counts), labels=np.concatenate(labels))
    say(stage="served", acc=right / sum(counts))
