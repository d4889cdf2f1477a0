// Package serve shows a running flow to people and programs over HTTP: predictions over plain rows, over the Open
// Inference Protocol v2 and over TensorFlow Serving's REST shapes; health; metrics for Prometheus; and a live dashboard
// that is embedded in the binary. It reads only: nothing that it serves changes the flow.
//
// Handler is the whole of it as an http.Handler, for programs that have a server of their own. Listen adds a server
// with time limits, a bound on connections and a graceful end.
//
// # Paths
//
//	/                                   the dashboard
//	/status                             the flow's Status as JSON
//	/events                             the same as server-sent events: at once, on a change, every second
//	/predict/<task>                     POST one row, an array of rows, or a picture
//	/v2/...                             Open Inference Protocol v2, with binary tensors and the repository index
//	/v1/models/...                      TensorFlow Serving and KServe v1
//	/metrics                            Prometheus
//	/healthz /readyz                    is the process there, can it predict
//
// With a Token, everything that shows data wants "Authorization: Bearer <token>"; the dashboard's own files and the
// health paths do not. A model is served on with what it learned last while the database is away: readyz stays 200.
package serve
