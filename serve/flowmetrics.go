package serve

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemill/tidemill/engine"
)

// flowMetrics are a Status as metrics, read when Prometheus asks.
type flowMetrics struct{ s *server }

// Describe sends nothing: which series there are depends on the flow.
func (m *flowMetrics) Describe(chan<- *prometheus.Desc) {}

// states are the values of tidemill_state's label state.
var states = [...]string{"starting", "snapshot", "streaming", "reconnecting", "stopping", "stopped", "failed"}

// Collect sends the whole of a Status that has a place in a time series: figures, no rows.
func (m *flowMetrics) Collect(ch chan<- prometheus.Metric) {
	st := m.s.renew().Status
	put := func(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
		names, values := []string{"flow"}, []string{st.Flow}
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		if x, err := prometheus.NewConstMetric(prometheus.NewDesc("tidemill_"+name, help, names, nil), kind, v,
			values...); err == nil {
			ch <- x
		}
	}
	count := func(name, help string, v uint64, labels ...string) {
		put(prometheus.CounterValue, name, help, float64(v), labels...)
	}
	gauge := func(name, help string, v float64, labels ...string) {
		put(prometheus.GaugeValue, name, help, v, labels...)
	}
	moment := func(name, help string, t time.Time) {
		v := 0.0
		if !t.IsZero() {
			v = float64(t.UnixNano()) / 1e9
		}
		gauge(name, help, v)
	}
	for _, s := range states {
		gauge("state", "1 for the state that the flow is in.", truth(st.State == s), "state", s)
	}
	moment("start_timestamp_seconds", "When the flow started.", st.Started)
	gauge("term", "The store's term: one more each time that a run takes it.", float64(st.Term))
	for _, op := range []string{"read", "insert", "update", "delete", "truncate", "message", "control"} {
		count("changes_total", "Changes applied since the process began, by operation.", st.Changes[op], "op", op)
	}
	count("rejects_total", "Rows that could not be used.", st.Rejected)
	gauge("source_connected", "1 if the source has yielded since its last error.", truth(st.Connected))
	gauge("source_caught_up", "1 if the source has nothing more at the moment.", truth(st.CaughtUp))
	gauge("source_lag_seconds", "From the commit of the last change at the source to its application here.",
		st.LagSeconds)
	if st.Retained != nil {
		gauge("source_retained_bytes",
			"Size of the log that the source's server keeps for this flow: a replication slot's WAL.",
			float64(*st.Retained))
	}
	moment("source_event_timestamp_seconds", "When the last change was applied; 0: none yet.", st.LastEvent)
	moment("watermark_timestamp_seconds", "The flow's clock, on the source's time; 0: not set yet.", st.Clock)
	count("snapshot_rows_total", "Rows of the snapshot that were read, since the fresh start.", st.Snapshot.Rows)
	gauge("snapshot_done", "1 once the snapshot is whole.", truth(st.Snapshot.Done))
	count("stream_rows_total", "Changes that were streamed, since the fresh start.", st.Stream.Rows)
	count("outputs_total", "Outputs made, since the fresh start.", st.Outputs)
	count("outputs_written_total", "Outputs that every sink has, since the fresh start.", st.Written)
	c := &st.Checkpoint
	moment("checkpoint_last_success_timestamp_seconds", "When the newest durable checkpoint was made; 0: none yet.",
		c.At)
	gauge("checkpoint_size_bytes", "Size of the newest checkpoint.", float64(c.Bytes))
	gauge("checkpoint_duration_seconds", "Time that the newest checkpoint took.", c.Took.Seconds())
	gauge("checkpoint_pause_seconds", "Time that the flow stood still for the newest checkpoint.", c.Pause.Seconds())
	count("checkpoint_failures_total", "Checkpoints that failed, since the process began.", c.Failures)
	for i := range st.Tasks {
		taskMetrics(&st.Tasks[i], count, gauge)
	}
}

func taskMetrics(t *engine.TaskStatus, count func(string, string, uint64, ...string),
	gauge func(string, string, float64, ...string)) {
	n := &t.Counts
	gauge("model_info", "Always 1; what the task's model is.", 1, "task", t.Name, "kind", t.Kind, "model", t.Model)
	for _, c := range []struct {
		name, help string
		v          uint64
	}{
		{"asked_total", "Questions asked.", n.Asked},
		{"answered_total", "Questions that got their first answer.", n.Answered},
		{"corrected_total", "Answers that came after the first one.", n.Corrected},
		{"unasked_total", "Answers without a question.", n.Unasked},
		{"replaced_total", "Questions replaced by a newer one of the same id.", n.Replaced},
		{"dropped_total", "Questions whose row was deleted.", n.Dropped},
		{"expired_total", "Questions forgotten without an answer.", n.Expired},
		{"late_total", "Rows earlier than the flow's clock.", n.Late},
		{"task_rejects_total", "Rows that the task could not use.", n.Rejected},
		{"learned_total", "Rows learned.", n.Learned},
		{"evaluated_total", "Rows that scored and taught nothing.", n.Evaluated},
		{"deleted_after_learning_total", "Learned rows that were deleted later.", n.Deleted},
	} {
		count(c.name, c.help+" Since the fresh start.", c.v, "task", t.Name)
	}
	gauge("open_questions", "Questions that wait for their answer.", float64(n.Open), "task", t.Name)
	gauge("coverage_ratio", "Share of the questions that were answered.", t.Coverage, "task", t.Name)
	if t.LabelDelay != nil {
		gauge("label_delay_seconds", "Median time from question to answer, on the flow's clock.", *t.LabelDelay,
			"task", t.Name)
	}
	for i := range t.Scores {
		s := &t.Scores[i]
		if s.Name == "confusion" { // a table; its one figure is the accuracy
			continue
		}
		own := []string{"task", t.Name, "score", s.Name, "phase", s.Phase}
		for _, w := range []struct {
			window string
			v      *float64
		}{{"all", s.Value}, {"rolling", s.Rolling}, {"fading", s.Fading}} {
			if w.v != nil {
				gauge("score", "A score of the model: over all answers, over the last 1,000, and with fading weights.",
					*w.v, append(own, "window", w.window)...)
			}
		}
		names := make([]string, 0, len(s.Baselines))
		for b := range s.Baselines {
			names = append(names, b)
		}
		slices.Sort(names)
		for _, b := range names {
			if v := s.Baselines[b]; v != nil {
				gauge("baseline_score", "The same score of a baseline.", *v, append(own, "baseline", b)...)
			}
		}
		count("scored_total", "Answers that the score has seen.", s.N, own...)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
