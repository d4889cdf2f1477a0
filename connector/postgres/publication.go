package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// ours is the comment on publications that this source has made; only those are changed and dropped.
const ours = "made by tidemill"

// publicationState is a publication as the server has it.
type publicationState struct {
	ours    bool
	insert  bool
	update  bool
	delete  bool
	trunc   bool
	root    bool // partitions under the name of their table
	members map[tableName]member
}

// member is a published table; columns and where are nil and "" if all is published.
type member struct {
	columns []string
	where   string
}

// lookPublication reads a publication; nil if there is none.
func lookPublication(ctx context.Context, s *session, name string) (*publicationState, error) {
	rows, err := s.ask(ctx, `SELECT coalesce(obj_description(oid, 'pg_publication'), ''), pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
		FROM pg_publication WHERE pubname = `+quoting.Text(name))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	is := func(b []byte) bool { return string(b) == "t" }
	r := rows[0]
	p := &publicationState{ours: string(r[0]) == ours, insert: is(r[1]), update: is(r[2]), delete: is(r[3]),
		trunc: is(r[4]), root: is(r[5]), members: map[tableName]member{}}
	rows, err = s.ask(ctx, "SELECT current_setting('server_version_num')::int >= 150000")
	if err != nil {
		return nil, err
	}
	sql := "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = " + quoting.Text(name)
	if is(rows[0][0]) {
		sql = `SELECT schemaname, tablename, rowfilter, array_to_string(attnames, E'\x01') FROM pg_publication_tables WHERE pubname = ` + quoting.Text(name)
	}
	rows, err = s.ask(ctx, sql)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		m := member{}
		if len(r) > 2 {
			m.where = string(r[2])
			if r[3] != nil {
				m.columns = strings.Split(string(r[3]), "\x01")
			}
		}
		p.members[tableName{string(r[0]), string(r[1])}] = m
	}
	return p, nil
}

func (p *publicationState) missing(tables []tableName) (missing []tableName) {
	for _, t := range tables {
		if _, ok := p.members[t]; !ok {
			missing = append(missing, t)
		}
	}
	return missing
}

// addSQL is the statement that lets the publication publish a table that it lacks.
func (p *publicationState) addSQL(publication string, t tableName, infos []*tableInfo) string {
	for _, i := range infos {
		if i.name == t && i.kind == 'p' && !p.root {
			return "ALTER PUBLICATION " + quoting.Name(publication) +
				" SET (publish_via_partition_root = true), and if it lacks the table, ADD TABLE " + t.sql()
		}
	}
	return "ALTER PUBLICATION " + quoting.Name(publication) + " ADD TABLE " + t.sql()
}

// createSQL is the statement that makes the publication.
func (r *Capture) createSQL(infos []*tableInfo) string {
	list, root := tableList(infos)
	with := ""
	if root {
		with = " WITH (publish_via_partition_root = true)"
	}
	return "CREATE PUBLICATION " + quoting.Name(r.publication) + " FOR TABLE " + list + with
}

// tableList names the tables for a publication. Children by inheritance are tables of their own.
func tableList(infos []*tableInfo) (list string, root bool) {
	names := make([]string, len(infos))
	for i, t := range infos {
		names[i] = t.name.sql()
		if t.kind == 'p' {
			root = true
		} else {
			names[i] = "ONLY " + names[i]
		}
	}
	return strings.Join(names, ", "), root
}

// checkPublication looks, when a stream goes on, whether the publication still has every table.
func (u *run) checkPublication(ctx context.Context, s *session) error {
	p, err := lookPublication(ctx, s, u.publication)
	if err != nil {
		return err
	}
	if p == nil {
		return tidemill.Fatalf("postgres: publication %q is gone: changes may have been missed; %s: %w",
			u.publication, fresh, tidemill.ErrGap)
	}
	if missing := p.missing(u.tables); len(missing) > 0 {
		return tidemill.Fatalf("postgres: publication %q does not publish %s (any more): changes may have "+
			"been missed; %s: %w", u.publication, missing[0], fresh, tidemill.ErrGap)
	}
	return nil
}

// ensurePublication makes the publication before the slot, so that the slot's log knows it, and returns what it holds.
func (u *run) ensurePublication(ctx context.Context, s *session, infos []*tableInfo) (*publicationState, error) {
	p, err := lookPublication(ctx, s, u.publication)
	if err != nil {
		return nil, err
	}
	sql := ""
	switch {
	case p == nil:
		sql = u.createSQL(infos)
	case p.ours && (len(p.members) != len(infos) || len(p.missing(u.tables)) > 0):
		list, root := tableList(infos)
		sql = fmt.Sprintf("ALTER PUBLICATION %s SET TABLE %s; ALTER PUBLICATION %[1]s SET (publish_via_partition_root = "+
			"%[3]t)", quoting.Name(u.publication), list, root)
	case len(p.missing(u.tables)) > 0:
		m := p.missing(u.tables)[0]
		return nil, tidemill.Fatalf("postgres: publication %q does not publish %s; run %s",
			u.publication, m, p.addSQL(u.publication, m, infos))
	default:
		return p, nil
	}
	if !u.create {
		return nil, tidemill.Fatalf("postgres: publication %q is missing; run %s", u.publication, sql)
	}
	for _, t := range infos {
		// PostgreSQL refuses UPDATE and DELETE on a published table without an identity: the application would break.
		if !t.identified() {
			return nil, tidemill.Fatalf("postgres: table %s has neither a primary key nor REPLICA IDENTITY FULL: publishing "+
				"it would make its UPDATEs and DELETEs fail; "+
				"add a primary key, or run ALTER TABLE %s REPLICA IDENTITY FULL, or, if rows are only ever inserted, %s WITH "+
				"(publish = 'insert, truncate')",
				t.name, t.name.sql(), strings.TrimSuffix(u.createSQL(infos), " WITH (publish_via_partition_root = true)"))
		}
	}
	_, err = s.ask(ctx, "BEGIN; "+sql+"; COMMENT ON PUBLICATION "+quoting.Name(u.publication)+" IS "+
		quoting.Text(ours)+"; COMMIT")
	if code(err) == "42501" {
		return nil, tidemill.Fatalf("%w; have an owner of the tables run: %s", err, sql)
	}
	if err != nil {
		return nil, err
	}
	return lookPublication(ctx, s, u.publication)
}

// identified reports whether updates and deletes name their row.
func (t *tableInfo) identified() bool {
	switch t.identity {
	case 'f', 'i':
		return true
	case 'd':
		return len(t.key) > 0
	}
	return false
}

// Drop removes the slot, and the publication if this source made it.
func (r *Capture) Drop(ctx context.Context) (done []string, err error) {
	if r.problem != nil {
		return nil, r.problem
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		return nil, err
	}
	defer s.shut()
	dropped, err := dropSlot(ctx, s, r.slot)
	if dropped {
		done = append(done, "slot "+r.slot)
	}
	p, err2 := lookPublication(ctx, s, r.publication)
	if err2 == nil && p != nil && p.ours {
		if _, err2 = s.ask(ctx, "DROP PUBLICATION "+quoting.Name(r.publication)); err2 == nil {
			done = append(done, "publication "+r.publication)
		}
	}
	return done, errors.Join(err, err2)
}
