"""Vowpal Wabbit's logistic regression on Elec2 as text (its own reader), 40 times over, progressive validation."""
import csv, io, json, os, tempfile, time, zipfile
from vowpalwabbit import pyvw

z = zipfile.ZipFile(os.path.join(os.environ["TIDEMILL_BENCH_REPO"], "examples", "streams", "elec2.zip"))
rows = list(csv.reader(io.TextIOWrapper(z.open(z.namelist()[0]))))
passes = 40
with tempfile.TemporaryDirectory() as d:
    f = os.path.join(d, "rows.txt")
    text = "".join(("1" if r[-1] == "UP" else "-1") + " | " + " ".join(f"{i}:{v}" for i, v in enumerate(r[:-1])) + "\n" for r in rows[1:])
    with open(f, "w") as w:
        for _ in range(passes):
            w.write(text)
    c = time.process_time()
    m = pyvw.Workspace(data=f, loss_function="logistic", quiet=True, no_stdin=True)
    m.finish()
    c = time.process_time() - c
print(json.dumps({"logistic_rows_per_cpu_s": passes * (len(rows) - 1) / c}))
