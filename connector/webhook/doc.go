// Package webhook posts outputs to an HTTP server, as JSON unless another format is named.
//
//	sinks:
//	  - webhook: {url: "https://example.com/hook", token: "${HOOK_TOKEN}"}
//
// Each message of the format is one POST, or with `batch: 100` each array of up to 100 outputs; an output of `format:
// json` is one message with the fields of the file sink, and "key": task, id, position and kind, the same on every
// replay. The header Idempotency-Key is that key, or its SHA-256 in hex where it does not fit in a header; for an
// array it is the SHA-256 of its keys, and since a replay may cut arrays otherwise, the receiver of arrays goes by the
// keys inside.
//
// # What is promised
//
// At least once, in order: a status of 2xx is the acknowledgement, and only what is acknowledged is in the mark. A flow
// that is killed posts what came after its last checkpoint again, with the same keys.
//
// 408, 425, 429, 5xx and errors of the connection are tried again: by the engine's back-off, whose waits double from
// 100 ms to 10 s and vary by up to a half, or when Retry-After says, in up to five minutes. In between the flow is
// held back, and nothing is dropped; after `tries:` in a row it reports trouble. Any other status is a refusal: it
// stops the flow, or with `refused: skip` the output is dropped and counted. Redirects are followed within the same
// scheme and host, with 307 and 308 only.
//
// # Signature
//
// With `secret:` each request has the header Tidemill-Signature: sha256=HEX, the HMAC-SHA256 of the body. The receiver
// computes the same and compares in constant time.
package webhook
