"""What a program with Triton's own client asks; each line of the output is one answer. usage: triton.py host:port"""
import sys
import numpy as np
import tritonclient.http as triton

with triton.InferenceServerClient(sys.argv[1], concurrency=4) as client:
    print("live", client.is_server_live(), "ready", client.is_server_ready(), "model", client.is_model_ready("late"))
    print("server", client.get_server_metadata()["name"])
    meta = client.get_model_metadata("late")
    print("inputs", [(x["name"], x["datatype"], x["shape"]) for x in meta["inputs"]])
    print("outputs", [(x["name"], x["datatype"]) for x in meta["outputs"]])
    print("index", [m["name"] for m in client.get_model_repository_index()])

    def inputs(binary):
        distance = triton.InferInput("distance", [3], "INT64")
        distance.set_data_from_numpy(np.array([1400, 100, 2500]), binary_data=binary)
        carrier = triton.InferInput("carrier", [3], "BYTES")
        carrier.set_data_from_numpy(np.array(["UA", "EV", "B6"], dtype=object), binary_data=binary)
        return [distance, carrier]

    def told(r):
        p = r.as_numpy("probabilities")
        return [s.decode() if isinstance(s, bytes) else s for s in r.as_numpy("prediction").tolist()], p.shape, p.round(6).tolist()

    plain = told(client.infer("late", inputs(True)))
    print("infer", plain[0], plain[1], [abs(sum(row) - 1) < 1e-6 for row in plain[2]])
    outputs = [triton.InferRequestedOutput("prediction", binary_data=False), triton.InferRequestedOutput("probabilities", binary_data=False)]
    print("as JSON", told(client.infer("late", inputs(False), outputs=outputs)) == plain)
    for way in ["gzip", "deflate"]:
        print(way, told(client.infer("late", inputs(True), request_compression_algorithm=way)) == plain)
    print("version", told(client.infer("late", inputs(True), model_version="1")) == plain)
    r = client.infer("late", inputs(True), request_id="42", outputs=[triton.InferRequestedOutput("prediction")])
    print("id", r.get_response()["id"], [x["name"] for x in r.get_response()["outputs"]])
    pending = [client.async_infer("late", inputs(True)) for _ in range(8)]
    print("async", all(told(p.get_result()) == plain for p in pending))
    for name, column in [("nothing", "distance"), ("late", "distanz")]:
        wrong = triton.InferInput(column, [1], "INT64")
        wrong.set_data_from_numpy(np.array([1]))
        try:
            client.infer(name, [wrong])
            print("no error")
        except triton.InferenceServerException as e:
            print("error", e.status(), e.message())
