"""The published stack, as one measured run: Postgres -> Debezium (Kafka Connect) -> Kafka -> Python -> Keras.

  pipeline.py e2e     PROFILE FORMAT           all processes start at once; one epoch of mnist_train, mnist_test scored
  pipeline.py latency PROFILE FORMAT ROWS HZ   rows inserted one by one: INSERT -> prediction made
  pipeline.py bulk    PROFILE FORMAT ROWS      one transaction: rows predicted per second from the INSERT on

PROFILE: default (nothing set: Debezium's and Kafka's own settings, Keras as it comes), tuned (for latency and start-up), throughput.
FORMAT: json or raw, see the .properties files. The tables are there. Environment: LIB (jars), PGPORT, MNIST_DIR, CACHE (class-data archives, weights).
Prints one JSON object of numbers.
"""
import json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time
import gzip
import numpy as np
import psycopg

HERE, E = os.path.dirname(os.path.abspath(__file__)), os.environ
WHAT, PROFILE, FORMAT = sys.argv[1:4]
CACHE = os.path.join(E["CACHE"], "seed")
G1 = "-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent"
JVM = {"default": {"broker": "-Xmx1G -Xms1G " + G1, "connect": "-Xms256M -Xmx2G " + G1},  # Kafka's own start scripts
       "tuned": {"broker": "-Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1", "connect": "-Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"},
       "throughput": {"broker": "-Xms64m -Xmx512m -XX:+UseSerialGC", "connect": "-Xms64m -Xmx512m -XX:+UseSerialGC"}}[PROFILE]
BIG = "max.batch.size=8192\nmax.queue.size=32768\nproducer.override.batch.size=524288\nproducer.override.buffer.memory=67108864\n"
SETTINGS = {"default": "", "tuned": BIG + "poll.interval.ms=5\nproducer.override.linger.ms=0\n",
            "throughput": BIG + "poll.interval.ms=50\nproducer.override.linger.ms=5\n"}[PROFILE]
WORK = tempfile.mkdtemp(prefix="tidemill-bench-")
os.makedirs(CACHE, exist_ok=True)
procs = {}


def pg():
    return psycopg.connect(host="127.0.0.1", port=E["PGPORT"], user="postgres", password="x", dbname="postgres", autocommit=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PORTS = dict(KPORT=free_port(), CPORT=free_port(), RPORT=free_port())


def archive(role):
    return os.path.join(CACHE, f"{PROFILE}-{role}.jsa")


def java(role, main, *args, wait=False):
    opts = JVM.get(role, "-Xmx128m").split()
    if PROFILE != "default" and role in JVM:  # a class-data archive, as the apache/kafka image ships one
        opts += [f"-XX:SharedArchiveFile={archive(role)}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"] if os.path.exists(archive(role)) else [f"-XX:ArchiveClassesAtExit={archive(role)}"]
    with open(os.path.join(WORK, role + ".log"), "ab") as log:
        p = subprocess.Popen(["java", *opts, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", E["LIB"] + "/*", main, *args],
                             stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=WORK)
    procs[role] = p
    if wait and p.wait():
        raise SystemExit(open(os.path.join(WORK, role + ".log")).read()[-3000:])
    if wait:
        del procs[role]


def configure(extra=""):
    v = {**PORTS, "RUN": WORK, "PGPORT": E["PGPORT"]}
    def fill(*names):
        s = "".join(open(os.path.join(HERE, n + ".properties")).read() for n in names)
        for k, x in v.items():
            s = s.replace(f"@{k}@", str(x))
        return s
    for name, text in (("server", fill("server")), ("worker", fill("worker")), ("connector", fill("connector", FORMAT) + SETTINGS + extra)):
        with open(os.path.join(WORK, name + ".properties"), "w") as f:
            f.write(text)
    java("format", "kafka.tools.StorageTool", "format", "--standalone", "-t", "seedpipeAAAAAAAAAAAAAA", "-c", WORK + "/server.properties", wait=True)


def broker():
    java("broker", "kafka.Kafka", WORK + "/server.properties")


def connect():
    java("connect", "org.apache.kafka.connect.cli.ConnectStandalone", WORK + "/worker.properties", WORK + "/connector.properties")


def wait_broker():
    end = time.time() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", PORTS["KPORT"]), 0.2).close()
        except OSError:
            if time.time() > end or procs["broker"].poll() is not None:
                raise SystemExit("no broker: " + open(os.path.join(WORK, "broker.log")).read()[-3000:])
            time.sleep(0.05)


def rows_in(topic):
    """how many records a topic has"""
    from confluent_kafka import Consumer, TopicPartition
    c = Consumer({"bootstrap.servers": f"127.0.0.1:{PORTS['KPORT']}", "group.id": "watch", "log_level": 0})
    def n():
        try:
            m = c.list_topics(topic, timeout=2).topics[topic]
            return 0 if m.error or not m.partitions else c.get_watermark_offsets(TopicPartition(topic, 0), timeout=2, cached=False)[1]
        except Exception:
            return 0
    return n


def until(what, f, seconds=180):
    end = time.time() + seconds
    while not f():
        for role in ("broker", "connect"):
            if procs[role].poll() is not None:
                raise SystemExit(f"{role} ended: " + open(os.path.join(WORK, role + ".log")).read()[-3000:])
        if time.time() > end:
            raise SystemExit(f"{what}: not after {seconds} s; " + open(os.path.join(WORK, "connect.log")).read()[-3000:])
        time.sleep(0.05)


def consumer(*args, **env):
    p = subprocess.Popen([sys.executable, os.path.join(HERE, "consumer.py"), *args], stdout=subprocess.PIPE, text=True, stderr=open(os.path.join(WORK, "python.log"), "ab"),
                         env={**E, "BOOTSTRAP": f"127.0.0.1:{PORTS['KPORT']}", **{k: str(v) for k, v in env.items()}})
    procs["python"] = p
    return p


def says(p, stage):
    for line in p.stdout:
        if line.startswith("{"):
            v = json.loads(line)
            if v["stage"] == stage:
                return v
    raise SystemExit("python: " + open(os.path.join(WORK, "python.log")).read()[-3000:])


def stop():
    for p in procs.values():
        if p.poll() is None:
            p.terminate()
    for p in procs.values():
        try:
            p.wait(60)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    procs.clear()
    with pg() as c:
        for _ in range(100):
            r = c.execute("select active_pid from pg_replication_slots where slot_name='seed'").fetchone()
            if r and r[0] is None:
                c.execute("select pg_drop_replication_slot('seed')")
            if not r or r[0] is None:
                break
            time.sleep(0.05)
        c.execute("drop publication if exists seed")


class Watch(threading.Thread):
    """The peak of the summed memory of what runs here, and its processor time. Postgres is not counted."""
    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.cpu, self.before, self.done = 0, {}, {}, threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(0.05):
            total = 0
            for p in list(procs.values()):
                try:
                    total += int(open(f"/proc/{p.pid}/statm").read().split()[1]) * 4096 / 2**20
                    f = open(f"/proc/{p.pid}/stat").read().rsplit(")", 1)[1].split()
                    self.cpu[p.pid] = (int(f[11]) + int(f[12])) / 100
                    self.before.setdefault(p.pid, self.cpu[p.pid])
                except (OSError, IndexError):
                    pass
            self.peak = max(self.peak, total)

    def end(self):
        self.done.set()
        self.join()
        return dict(stack_rss_mb=self.peak, stack_cpu_s=sum(self.cpu[k] - self.before[k] for k in self.cpu))


def images(name, at):
    return np.frombuffer(gzip.open(os.path.join(E["MNIST_DIR"], name)).read(), np.uint8, offset=at)


def counts():
    with pg() as c:
        return [c.execute(f"select count(*) from mnist_{t}").fetchone()[0] for t in ("train", "test")]


def e2e():
    train, test = counts()
    if PROFILE != "default" and not os.path.exists(archive("connect")):  # one unmeasured pass writes the archives
        configure(); broker(); wait_broker(); connect()
        have = [rows_in("tf.public.mnist_train"), rows_in("tf.public.mnist_test")]
        until("the snapshot", lambda: have[0]() + have[1]() >= train + test)
        stop(); shutil.rmtree(WORK); os.mkdir(WORK)
    configure()
    w, t = Watch(), time.time()
    broker(); connect()
    p = consumer("e2e", FORMAT, "--spe", "1" if PROFILE == "default" else "75", N_TRAIN=train, N_TEST=test)
    r = says(p, "e2e")
    out = dict(seconds=r["done"] - t, trained_s=r["trained"] - t, read_s=r["read"] - t, accuracy=r["acc"], **w.end())
    p.wait()
    return out


def streaming(n):
    """The stack streams, warmed up by 20,000 rows and more; then the consumer that will predict n rows."""
    configure("snapshot.mode=no_data\n")
    weights = os.path.join(CACHE, "weights.weights.h5")
    if not os.path.exists(weights):
        if subprocess.run([sys.executable, os.path.join(HERE, "consumer.py"), "weights", FORMAT, "--weights", weights], stderr=subprocess.DEVNULL).returncode:
            raise SystemExit("no weights")
    broker(); wait_broker(); connect()
    have, warm = rows_in("tf.public.mnist_test"), 20000
    with pg() as c:
        until("the slot", lambda: (c.execute("select active from pg_replication_slots where slot_name='seed'").fetchone() or [False])[0])
        c.execute("insert into mnist_test(label,pixels) select label,pixels from mnist_train where id<=%s", [warm])
        for i in range(300):
            c.execute("insert into mnist_test(label,pixels) select label,pixels from mnist_train where id=%s", [i + 1])
            time.sleep(0.003)
    until("the warm-up", lambda: have() >= warm + 300)
    out = os.path.join(WORK, "served.npz")
    p = consumer("serve", FORMAT, "--weights", weights, "--expect", str(n), "--out", out)
    says(p, "serving")
    return p, out


def latency(n, hz):
    px, lb = images("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784), images("t10k-labels-idx1-ubyte.gz", 8)
    p, out = streaming(n)
    with pg() as c:
        c.prepare_threshold = 0
        w, sent, acked, start = Watch(), [], [], time.time() + 0.3
        for i in range(n):
            time.sleep(max(0, start + i / hz - time.time()))
            row = (int(lb[i % len(lb)]), px[i % len(px)].tobytes())
            sent.append(time.time())
            c.execute("INSERT INTO mnist_test(label,pixels) VALUES (%s,%s)", row)
            acked.append(time.time())
    says(p, "served")
    z = np.load(out)
    res = w.end()
    assert (z["labels"] == [lb[i % len(lb)] for i in range(n)]).all(), "rows out of order"
    q = lambda v, name: {f"{name}p50_ms": float(np.percentile(v, 50)), f"{name}p99_ms": float(np.percentile(v, 99))}
    sent, acked = np.array(sent), np.array(acked)
    return {**q((z["t"] - acked) * 1e3, ""), **q((z["t"] - sent) * 1e3, "from_insert_"), **q((acked - sent) * 1e3, "insert_"), **res}


def bulk(n):
    p, out = streaming(n)
    with pg() as c:
        w, t = Watch(), time.time()
        c.execute("INSERT INTO mnist_test(label, pixels) SELECT label, pixels FROM generate_series(1, %s), mnist_train WHERE id <= %s" % ((n + 59999) // 60000, min(n, 60000)))
        inserted = time.time() - t
    says(p, "served")
    z = np.load(out)
    took = float(z["t"][-1]) - t
    return dict(rows_per_s=n / took, insert_s=inserted, seconds=took, **w.end())


signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
try:
    result = {"e2e": e2e, "latency": lambda: latency(int(sys.argv[4]), float(sys.argv[5])), "bulk": lambda: bulk(int(sys.argv[4]))}[WHAT]()
finally:
    stop()
    shutil.rmtree(WORK, ignore_errors=True)
print(json.dumps(result))
