package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
)

// checker gathers findings.
type checker struct {
	path     string
	findings []tidemill.Finding
}

func (c *checker) add(level, mend, format string, a ...any) {
	c.findings = append(c.findings, tidemill.Finding{Path: c.path, Level: level,
		Text: fmt.Sprintf(format, a...), Mend: mend})
}

// failed reports an error in the words that Changes would use.
func (c *checker) failed(err error, mend string) {
	c.add("error", mend, "%s", strings.TrimPrefix(err.Error(), "postgres: "))
}

// Check looks whether the server, the role, the tables, the publication and the slot allow the source to run. It
// changes nothing.
func (r *Capture) Check(ctx context.Context) []tidemill.Finding {
	c := &checker{path: "source.postgres"}
	if r.problem != nil {
		c.failed(r.problem, "")
		return c.findings
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		c.failed(err, connectMend(err))
		return c.findings
	}
	defer s.shut()
	for _, look := range []func(context.Context, *session, *checker) error{r.checkServer, r.checkRole, r.checkTables,
		r.checkPublished, r.checkSlot} {
		if err := look(ctx, s, c); err != nil {
			c.failed(err, "")
			if s.IsClosed() {
				break
			}
		}
	}
	return c.findings
}

func connectMend(err error) string {
	switch code(err) {
	case "28P01":
		return "correct the password in url, or set one: ALTER ROLE … PASSWORD '…'"
	case "28000":
		if strings.Contains(err.Error(), "does not exist") {
			return "correct the user in url, or make the role: CREATE ROLE … LOGIN REPLICATION PASSWORD '…'"
		}
		return "let the role in: a line in pg_hba.conf, then SELECT pg_reload_conf()"
	case "3D000":
		return "correct the database's name in url"
	case "53300":
		return "raise max_connections, or close connections that nobody needs"
	}
	return "start the server, or correct host and port in url"
}

func (r *Capture) checkServer(ctx context.Context, s *session, c *checker) error {
	rows, err := s.ask(ctx, `SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('wal_level'), pg_is_in_recovery(),
		current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
		current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication),
		current_setting('max_replication_slots'), current_setting('max_wal_senders'), (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size')`)
	if err != nil {
		return err
	}
	f := make([]string, len(rows[0]))
	for i, v := range rows[0] {
		f[i] = string(v)
	}
	version := number(rows[0][0])
	switch {
	case version < oldest:
		c.add("error", "use PostgreSQL 13 or newer", "the server is PostgreSQL %s", f[1])
	case f[3] == "t" && version < 160000:
		c.add("error", "name the primary in url", "the server is a standby; PostgreSQL %s decodes its log on "+
			"the primary only",
			f[1])
	default:
		c.add("ok", "", "the server is PostgreSQL %s", f[1])
	}
	if f[2] != "logical" {
		c.add("error", "ALTER SYSTEM SET wal_level = 'logical'; then restart the server", "wal_level is %s", f[2])
	} else {
		c.add("ok", "", "wal_level is logical")
	}
	slot, err := lookSlot(ctx, s, r.slot)
	if err != nil {
		return err
	}
	if slot == nil && strings.HasPrefix(f[4], "-") || slot == nil && f[4] == "0" {
		mend, err := freeSlots(ctx, s, f[6])
		if err != nil {
			return err
		}
		c.add("error", mend, "all of max_replication_slots = %s are taken", f[6])
	}
	if (slot == nil || slot.pid == "") && (f[5] == "0" || strings.HasPrefix(f[5], "-")) {
		c.add("error", "ALTER SYSTEM SET max_wal_senders = "+fmt.Sprint(number([]byte(f[7]))+10)+"; then restart the server",
			"all of max_wal_senders = %s are taken", f[7])
	}
	if f[8] != "-1" {
		c.add("warning", "", "max_slot_wal_keep_size is %s MB: a flow that is stopped for longer than so much WAL must "+
			"start over", f[8])
	}
	return nil
}

// freeSlots says how a slot comes free: by more of them, or by dropping one that nobody reads.
func freeSlots(ctx context.Context, s *session, have string) (string, error) {
	rows, err := s.ask(ctx, "SELECT slot_name, pg_size_pretty(coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), "+
		"restart_lsn), 0)) FROM pg_replication_slots WHERE NOT active ORDER BY 1 LIMIT 10")
	if err != nil {
		return "", err
	}
	mend := fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d; then restart the server", number([]byte(have))+10)
	for _, r := range rows {
		mend += fmt.Sprintf("\nor, if nobody needs slot %s, which holds %s of WAL: SELECT pg_drop_replication_slot(%s)",
			r[0], r[1], quoting.Text(string(r[0])))
	}
	return mend, nil
}

// checkRole tries what the source will do: a connection for replication.
func (r *Capture) checkRole(ctx context.Context, s *session, c *checker) error {
	rows, err := s.ask(ctx, "SELECT current_user, quote_ident(current_user)")
	if err != nil {
		return err
	}
	rep, err := connect(ctx, r.url, true)
	if err == nil {
		_, err = rep.ask(ctx, "IDENTIFY_SYSTEM")
		rep.shut()
	}
	if err == nil {
		// A walsender starts for roles without the right too; slots then refuse them.
		var may [][][]byte
		may, err = s.ask(ctx, `SELECT rolreplication OR rolsuper OR EXISTS (SELECT FROM pg_roles g WHERE g.rolname IN ('rds_replication', 'cloudsqlsuperuser', 'azure_pg_admin') AND pg_has_role(g.oid, 'member'))
			FROM pg_roles WHERE rolname = current_user`)
		if err == nil && string(may[0][0]) == "t" {
			c.add("ok", "", "role %s may replicate", rows[0][0])
			return nil
		}
	}
	mend := fmt.Sprintf("ALTER ROLE %s REPLICATION", rows[0][1])
	if code(err) == "28000" && !strings.Contains(err.Error(), "REPLICATION") &&
		!strings.Contains(err.Error(), "replication role") {
		mend = "let the role in: a line in pg_hba.conf, then SELECT pg_reload_conf()"
	}
	if err != nil {
		c.failed(err, mend)
	} else {
		c.add("error", mend, "role %s may not replicate", rows[0][0])
	}
	return nil
}

func (r *Capture) checkTables(ctx context.Context, s *session, c *checker) error {
	cat := newCatalog(s)
	for _, name := range r.tables {
		info, err := cat.info(ctx, name)
		if err != nil {
			return err
		}
		if info == nil {
			mend := "correct the name, or create the table"
			if near, err := nearTables(ctx, s, name); err == nil && near != "" {
				mend = "did you mean " + near + "?"
			}
			c.add("error", mend, "there is no table %s", name)
			continue
		}
		if info.kind != 'r' && info.kind != 'p' {
			c.add("error", "name the tables under it", "%s is not a table", name)
			continue
		}
		rows, err := s.ask(ctx, "SELECT has_table_privilege("+fmt.Sprint(info.oid)+
			"::oid, 'SELECT') AND has_schema_privilege("+quoting.Text(name.schema)+", 'USAGE'), quote_ident(current_user)")
		if err != nil {
			return err
		}
		if string(rows[0][0]) != "t" {
			c.add("error", fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON %s TO %[2]s",
				quoting.Name(name.schema), rows[0][1], name.sql()), "the role may not read %s", name)
		}
		switch {
		case len(info.key) == 0 && info.identity == 'f':
			c.add("warning", "ALTER TABLE "+name.sql()+" ADD PRIMARY KEY (…)",
				"%s has no primary key: name id: in the tasks that read it", name)
		case !info.identified():
			c.add("error", "ALTER TABLE "+name.sql()+" REPLICA IDENTITY FULL\nor, better, give it a primary key: ALTER TABLE "+
				name.sql()+" ADD PRIMARY KEY (…)", "%s has no primary key and no replica identity: once published, its UPDATEs "+
				"and DELETEs would fail", name)
		case info.identity == 'f':
			c.add("ok", "", "%s has a primary key; an update tells the whole old row", name)
		default:
			c.add("ok", "", "%s has a primary key; an update tells of the old row its key only "+
				"(REPLICA IDENTITY FULL tells all)", name)
		}
		for _, g := range info.generated {
			c.add("warning", "", "%s.%s is a generated column: it is not in the log and is left out", name, g)
		}
	}
	return nil
}

// nearTables names tables of the same name in other letters or another schema.
func nearTables(ctx context.Context, s *session, name tableName) (string, error) {
	rows, err := s.ask(ctx, `SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND lower(c.relname) = lower(`+quoting.Text(name.name)+`) ORDER BY 1 LIMIT 1`)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return string(rows[0][0]), nil
}

func (r *Capture) checkPublished(ctx context.Context, s *session, c *checker) error {
	p, err := lookPublication(ctx, s, r.publication)
	if err != nil {
		return err
	}
	var infos []*tableInfo
	cat := newCatalog(s)
	owner := true
	for _, name := range r.tables {
		info, err := cat.info(ctx, name)
		if err != nil {
			return err
		}
		if info == nil {
			return nil // said already
		}
		infos = append(infos, info)
		rows, err := s.ask(ctx, "SELECT pg_has_role(relowner, 'USAGE') AND has_database_privilege(current_database(), "+
			"'CREATE') FROM pg_class WHERE oid = "+fmt.Sprint(info.oid))
		if err != nil {
			return err
		}
		owner = owner && len(rows) == 1 && string(rows[0][0]) == "t"
	}
	sql := r.createSQL(infos)
	switch {
	case p == nil && !r.create:
		c.add("error", sql, "publication %s is missing", r.publication)
	case p == nil && !owner:
		c.add("error", "have an owner of the tables run: "+sql,
			"publication %s is missing, and the role may not make it", r.publication)
	case p == nil:
		c.add("ok", "", "publication %s will be made", r.publication)
	default:
		missing := p.missing(r.tables)
		for _, t := range missing {
			c.add("error", p.addSQL(r.publication, t, infos), "publication %s does not publish %s", r.publication, t)
		}
		if !p.insert || !p.update || !p.delete || !p.trunc {
			c.add("warning", "ALTER PUBLICATION "+quoting.Name(r.publication)+
				" SET (publish = 'insert, update, delete, truncate')",
				"publication %s publishes not all kinds of changes (insert %t, update %t, delete %t, truncate %t)",
				r.publication, p.insert, p.update, p.delete, p.trunc)
		}
		if len(missing) == 0 {
			c.add("ok", "", "publication %s publishes the tables", r.publication)
		}
	}
	return nil
}

func (r *Capture) checkSlot(ctx context.Context, s *session, c *checker) error {
	st, err := lookSlot(ctx, s, r.slot)
	if err != nil {
		return err
	}
	drop := "SELECT pg_drop_replication_slot(" + quoting.Text(r.slot) + ")"
	switch {
	case st == nil:
		c.add("ok", "", "slot %s is not there; a fresh start makes it", r.slot)
	case st.lost != "":
		c.add("error", fresh, "slot %s: %s", r.slot, st.lost)
	case !st.here:
		c.add("error", "name another slot: slot: …", "slot %s is of database %s", r.slot, st.database)
	case st.plugin != "pgoutput":
		c.add("error", "name another slot: slot: …", "slot %s is for %s, not for pgoutput", r.slot, st.plugin)
	case st.pid != "":
		c.add("ok", "", "slot %s is in use by server process %s and holds %s of WAL; it is at %s",
			r.slot, st.pid, size(st.retained), st.confirmed)
	default:
		level, mend := "ok", ""
		if st.retained > 1<<30 {
			level, mend = "warning", "run the flow, or drop the slot if it is not needed: "+drop
		}
		c.add(level, mend, "slot %s is not in use and holds %s of WAL; it is at %s", r.slot, size(st.retained), st.confirmed)
	}
	return nil
}

// size prints bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d kB", n>>10)
}

// Check looks whether the database can be reached and the tables are there or can be made. It changes nothing.
func (w *Predictions) Check(ctx context.Context) []tidemill.Finding {
	c := &checker{path: "sink.postgres"}
	t := w.table
	if t.problem != nil {
		c.failed(t.problem, "")
		return c.findings
	}
	s, err := connect(ctx, t.url, false)
	if err != nil {
		c.failed(err, connectMend(err))
		return c.findings
	}
	defer s.shut()
	rows, err := s.ask(ctx, "SELECT quote_ident(current_user)")
	if err != nil {
		c.failed(err, "")
		return c.findings
	}
	role := string(rows[0][0])
	cat := newCatalog(s)
	for _, name := range []tableName{t.name, t.marks()} {
		info, err := cat.info(ctx, name)
		if err != nil {
			c.failed(err, "")
			return c.findings
		}
		sql, mend := "SELECT coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = "+
			quoting.Text(name.schema)+"), false)",
			"CREATE SCHEMA IF NOT EXISTS "+quoting.Name(name.schema)+"; GRANT CREATE, USAGE ON SCHEMA "+
				quoting.Name(name.schema)+" TO "+role
		what := "may be made"
		if info != nil {
			sql = fmt.Sprintf("SELECT bool_and(has_table_privilege(%d::oid, p)) FROM "+
				"unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p", info.oid)
			mend = "GRANT SELECT, INSERT, UPDATE, DELETE ON " + name.sql() + " TO " + role
			what = "may be written"
		}
		rows, err := s.ask(ctx, sql)
		switch {
		case err != nil:
			c.failed(err, "")
		case string(rows[0][0]) != "t":
			c.add("error", mend, "table %s: not allowed for this role", name)
		case info != nil && name == t.name && t.misfit(ctx, s, info) != "":
			c.add("error", "name another table: table: …\nor ALTER TABLE "+name.sql()+" RENAME TO "+
				quoting.Name(name.name+"_before"), "table %s is not one of predictions: %s", name, t.misfit(ctx, s, info))
		default:
			c.add("ok", "", "table %s %s", name, what)
		}
	}
	return c.findings
}

// misfit says what keeps predictions from being written into a table that is there; "" if nothing does.
func (t *table) misfit(ctx context.Context, s *session, info *tableInfo) string {
	if info.kind != 'r' && info.kind != 'p' {
		return "it is no table"
	}
	key := slices.Sorted(slices.Values(info.key))
	if !slices.Equal(key, []string{"id", "task"}) {
		return "its primary key is not (task, id)"
	}
	for _, sql := range []string{t.upsertSQL(), t.truthSQL(), t.moveSQL()} {
		if _, err := s.Prepare(ctx, "", sql, nil); err != nil {
			return strings.TrimPrefix(err.Error(), "ERROR: ")
		}
	}
	return ""
}
