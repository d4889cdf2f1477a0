package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// start makes a database with the statements and begins to capture the table t; the snapshot is taken.
func start(t *testing.T, stmts ...string) (path string, exec func(stmts ...string), c *collector, upto tidemill.Position) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a.db")
	u := userDB(t, path, "wal", stmts...)
	c = collect(Source(path, "t"), "")
	t.Cleanup(c.stop)
	c.until(t, "snapshot", func(b tidemill.Batch) bool { upto = b.Upto; return b.CaughtUp })
	return path, func(stmts ...string) { t.Helper(); must(t, u, stmts...) }, c, upto
}

func expect(t *testing.T, c *collector, want ...string) []tidemill.Change {
	t.Helper()
	cs, _ := c.take(t, len(want))
	for i := range cs {
		if got := showOne(&cs[i]); got != want[i] {
			t.Errorf("change %d is\n%s, want\n%s", i, got, want[i])
		}
	}
	return cs
}

func TestAddColumn(t *testing.T) {
	path, exec, c, upto := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	exec("INSERT INTO t VALUES(1,1)")
	expect(t, c, "insert t - -> (int:1 int:1)")
	// In one transaction, so that the old triggers surely log the writes.
	exec("BEGIN; ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'x'; UPDATE t SET b='y'; INSERT INTO t VALUES(2,2,'z'); INSERT INTO t VALUES(3,3,3); DELETE FROM t WHERE id=3; COMMIT")
	want := []string{
		"update t (int:1 int:1) -> (int:1 int:1)", "insert t - -> (int:2 int:2)", "insert t - -> (int:3 int:3)", "delete t (int:3 int:3) -> -",
		"update t (int:1 int:1 unknown:?) -> (int:1 int:1 text:y)", "update t (int:2 int:2 unknown:?) -> (int:2 int:2 text:z)",
	}
	cs := expect(t, c, want...)
	if cs[3].Table == cs[4].Table || cs[4].Table != cs[5].Table || cs[4].Table.Sum == cs[3].Table.Sum || *cs[4].Table.Columns[2].Default != "'x'" {
		t.Error("the new shape does not come with a new Table")
	}
	exec("UPDATE t SET b='w' WHERE id=1")
	expect(t, c, "update t (int:1 int:1 text:y) -> (int:1 int:1 text:w)")
	c.stop()
	// Changes while nobody looks, and a replay over the change of the schema.
	exec("ALTER TABLE t ADD COLUMN c REAL", "UPDATE t SET c=1.5 WHERE id=2")
	c = collect(Source(path, "t"), upto)
	defer c.stop()
	all := append([]string{"insert t - -> (int:1 int:1)"}, want...)
	all = append(all, "update t (int:1 int:1 text:y) -> (int:1 int:1 text:w)", "update t (int:2 int:2 text:z) -> (int:2 int:2 text:z)",
		"update t (int:2 int:2 text:z unknown:?) -> (int:2 int:2 text:z float:1.5)")
	// Rows written since the position come again where the triggers may not have known the column: row 1 too.
	cs, _ = c.take(t, len(all)+1)
	for i, w := range all[:len(all)-1] {
		if got := showOne(&cs[i]); got != w {
			t.Errorf("replayed change %d is\n%s, want\n%s", i, got, w)
		}
	}
	if got := showOne(&cs[len(all)]); got != all[len(all)-1] {
		t.Errorf("the last is %s", got)
	}
}

func TestAddColumnToWideTable(t *testing.T) {
	cols, vals := "", ""
	for i := range 150 {
		cols += ", x" + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		vals += ", 7"
	}
	_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY"+cols+")")
	exec("INSERT INTO t VALUES(1"+vals+"), (2"+vals+")", "UPDATE t SET xa=8", "DELETE FROM t WHERE id=2")
	cs, _ := c.take(t, 5)
	for i := range cs {
		for _, row := range [][]tidemill.Value{cs[i].Before, cs[i].After} {
			for j, v := range row[min(2, len(row)):] {
				if !v.Equal(tidemill.Int(7)) {
					t.Fatalf("change %d, value %d is %s", i, j, v)
				}
			}
		}
	}
	if s := showOne(&cs[2])[:30]; s != "update t (int:1 int:7 int:7 in" {
		t.Error(s)
	}
	exec("BEGIN; INSERT INTO t VALUES(3" + vals + "),(4" + vals + "); ALTER TABLE t ADD COLUMN last; UPDATE t SET last=id; COMMIT")
	cs, _ = c.take(t, 2+3+3)
	for i, id := range []int64{3, 4, 1} {
		r := cs[5+i].After
		if len(r) != 152 || !r[0].Equal(tidemill.Int(id)) || !r[151].Equal(tidemill.Int(id)) || !r[150].Equal(tidemill.Int(7)) {
			t.Errorf("row %d comes as %v", id, r)
		}
	}
}

func TestRenameColumn(t *testing.T) {
	_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	exec("INSERT INTO t VALUES(1,1)", "ALTER TABLE t RENAME COLUMN a TO b", "UPDATE t SET b=2")
	c.until(t, "the new name", func(b tidemill.Batch) bool {
		for i := range b.Changes {
			if b.Changes[i].Table.Col("b") == 1 && b.Changes[i].After[1].Equal(tidemill.Int(2)) {
				return true
			}
		}
		return false
	})
	exec("DELETE FROM t")
	expect(t, c, "delete t (int:1 int:2) -> -")
}

// stops waits for the source's error.
func stops(t *testing.T, c *collector) error {
	t.Helper()
	for {
		select {
		case err := <-c.err:
			return err
		case <-c.batches:
		case <-time.After(20 * time.Second):
			t.Fatal("the source goes on")
		}
	}
}

func TestSchemaChangesThatStop(t *testing.T) {
	for _, test := range []struct {
		name  string
		stmts []string
		says  string
		gap   bool
	}{
		{"table renamed", []string{"ALTER TABLE t RENAME TO tt"}, `table "t" was renamed to "tt"`, false},
		{"table dropped", []string{"DROP TABLE t"}, `has no table "t"`, false},
		{"table made anew", []string{"BEGIN; DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, a); COMMIT"}, "trigger tidemill_log:t:insert is gone", true},
		{"trigger dropped", []string{`DROP TRIGGER "tidemill_log:t:delete"`}, "trigger tidemill_log:t:delete is gone", true},
		{"log dropped", []string{`DROP TABLE tidemill_log`}, "somebody dropped", true},
		{"log rows deleted", []string{"BEGIN; INSERT INTO t VALUES(1,1),(2,2); DELETE FROM tidemill_log WHERE seq=2; COMMIT"}, "rows 2 to 2 of the change log tidemill_log are gone", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
			exec(test.stmts...)
			err := stops(t, c)
			if err == nil || !strings.Contains(err.Error(), test.says) || !tidemill.IsFatal(err) || errors.Is(err, tidemill.ErrGap) != test.gap {
				t.Errorf("the source stops with: %v", err)
			}
		})
	}
}

func TestDropColumnIsRefused(t *testing.T) {
	path, _, _, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
	u := userDB(t, path, "wal")
	_, err := u.Exec("ALTER TABLE t DROP COLUMN b")
	if err == nil || !strings.Contains(err.Error(), "error in trigger tidemill_log:t:") {
		t.Errorf("dropping a captured column: %v", err)
	}
}

func TestReplace(t *testing.T) {
	for _, recursive := range []string{"off", "on"} {
		t.Run("recursive_triggers="+recursive, func(t *testing.T) {
			_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, mail TEXT UNIQUE COLLATE NOCASE, n)", "CREATE UNIQUE INDEX tn ON t(n) WHERE n>0",
				"PRAGMA recursive_triggers="+recursive)
			exec("INSERT INTO t VALUES(1,'a',1),(2,'b',2),(3,'c',3),(4,'d',-1)")
			c.take(t, 4)
			gone := func(id string, full string) string {
				if recursive == "on" {
					return "delete t (int:" + id + full + ") -> -"
				}
				return "delete t (int:" + id + " unknown:? unknown:?) -> -"
			}
			exec("REPLACE INTO t VALUES(9,'A',2)")
			want := []string{gone("1", " text:a int:1"), gone("2", " text:b int:2"), "insert t - -> (int:9 text:A int:2)"}
			cs, _ := c.take(t, 3)
			got := show(cs)
			if got != "\n"+want[0]+"\n"+want[1]+"\n"+want[2] && got != "\n"+want[1]+"\n"+want[0]+"\n"+want[2] {
				t.Errorf("REPLACE over two rows: %s", got)
			}
			exec("INSERT OR IGNORE INTO t VALUES(10,'c',7)", "INSERT INTO t VALUES(11,'c',8) ON CONFLICT(mail) DO UPDATE SET n=excluded.n", "INSERT INTO t VALUES(12,'x',-1)")
			expect(t, c, "update t (int:3 text:c int:3) -> (int:3 text:c int:8)", "insert t - -> (int:12 text:x int:-1)")
			exec("UPDATE OR REPLACE t SET mail='C' WHERE id=9")
			cs, _ = c.take(t, 2)
			u, d := "update t (int:9 text:A int:2) -> (int:9 text:C int:2)", gone("3", " text:c int:8")
			if got := show(cs); got != "\n"+u+"\n"+d && got != "\n"+d+"\n"+u {
				t.Errorf("UPDATE OR REPLACE: %s", got)
			}
			exec("UPDATE t SET mail='c' WHERE id=9", "DELETE FROM t WHERE id=4")
			expect(t, c, "update t (int:9 text:C int:2) -> (int:9 text:c int:2)", "delete t (int:4 text:d int:-1) -> -")
		})
	}
}

func TestUniqueIndexMadeLater(t *testing.T) {
	_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	exec("INSERT INTO t VALUES(1,1)")
	expect(t, c, "insert t - -> (int:1 int:1)")
	exec("CREATE UNIQUE INDEX ta ON t(a)", "INSERT INTO t VALUES(2,2)")
	c.take(t, 1)
	exec("INSERT INTO t VALUES(3,3)") // by now the triggers know
	c.take(t, 1)
	exec("REPLACE INTO t VALUES(7,1)")
	expect(t, c, "delete t (int:1 unknown:?) -> -", "insert t - -> (int:7 int:1)")
	exec("DROP INDEX ta", "INSERT INTO t VALUES(8,1)")
	expect(t, c, "insert t - -> (int:8 int:1)")
}

func TestUserTriggers(t *testing.T) {
	_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, touched DEFAULT 0)",
		"CREATE TRIGGER touch AFTER UPDATE OF a ON t BEGIN UPDATE t SET touched=touched+1 WHERE id=new.id; END")
	exec("INSERT INTO t(id,a) VALUES(1,1)", "UPDATE t SET a=2")
	expect(t, c, "insert t - -> (int:1 int:1 int:0)", "update t (int:1 int:1 int:0) -> (int:1 int:2 int:0)", "update t (int:1 int:2 int:0) -> (int:1 int:2 int:1)")
	// A trigger that is newer than ours would fire before it; ours are made again.
	exec("CREATE TRIGGER fill AFTER INSERT ON t BEGIN UPDATE t SET touched=100 WHERE id=new.id; END", "DELETE FROM t")
	c.take(t, 1)
	exec("INSERT INTO t(id,a) VALUES(3,3)") // by now
	c.take(t, 2)
	exec("INSERT INTO t(id,a) VALUES(4,4)")
	expect(t, c, "insert t - -> (int:4 int:4 int:0)", "update t (int:4 int:4 int:0) -> (int:4 int:4 int:100)")
}

func TestForeignKeyCascade(t *testing.T) {
	_, exec, c, _ := start(t, "PRAGMA foreign_keys=ON", "CREATE TABLE p(id INTEGER PRIMARY KEY)",
		"CREATE TABLE t(id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE CASCADE ON UPDATE CASCADE)")
	exec("INSERT INTO p VALUES(1),(2)", "INSERT INTO t VALUES(1,1),(2,2)", "UPDATE p SET id=5 WHERE id=2", "DELETE FROM p")
	expect(t, c, "insert t - -> (int:1 int:1)", "insert t - -> (int:2 int:2)", "update t (int:2 int:2) -> (int:2 int:5)", "delete t (int:1 int:1) -> -", "delete t (int:2 int:5) -> -")
}

func TestGeneratedColumns(t *testing.T) {
	_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b AS (a*2), c AS (a*3) STORED)")
	exec("INSERT INTO t(a) VALUES(2)", "UPDATE t SET a=3", "DELETE FROM t")
	expect(t, c, "insert t - -> (int:1 int:2 int:4 int:6)", "update t (int:1 int:2 int:4 int:6) -> (int:1 int:3 int:6 int:9)", "delete t (int:1 int:3 int:6 int:9) -> -")
}

func TestViewIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	userDB(t, path, "wal", "CREATE TABLE t(a)", "CREATE VIEW v AS SELECT * FROM t")
	for table, says := range map[string]string{"v": `"v" is a view`, "x": `has no table "x"; tables are: t`} {
		err := stops(t, collect(Source(path, table), ""))
		if err == nil || !strings.Contains(err.Error(), says) || !tidemill.IsFatal(err) {
			t.Errorf("%s: %v", table, err)
		}
	}
}
