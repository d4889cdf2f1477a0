package sqlite

import "context"

// adapt brings the triggers up to date after the schema changed.
func (st *stream) adapt(ctx context.Context) error {
	v, err := st.d.one("PRAGMA main.schema_version")
	if err == nil {
		st.schema = v
	}
	return err
}
