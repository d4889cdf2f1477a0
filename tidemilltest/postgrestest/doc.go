// Package postgrestest starts throw-away PostgreSQL servers for tests.
//
// A test binary that needs one has
//
//	func TestMain(m *testing.M) { postgrestest.Main(m) }
//
// which starts one server for the whole binary, and each test takes a database of its own from it:
//
//	url := postgrestest.Start(t).CreateDB(t)
//
// A test that stops, crashes or configures its server asks for one of its own: Start(t, postgrestest.Own()), or any
// other option. Nothing is ever skipped: where no server programs are found (and apt cannot install them), the test
// fails and says what to install.
//
// The server programs are looked for in PG_BIN, /usr/lib/postgresql/*/bin (the newest), the PATH and pg_config
// -- --bindir. As root the server runs as the user postgres, or nobody. Servers listen on
//
//	127.0.0.1 only, hold their data in a
//
// temporary folder, and end with the test binary even if it is killed (on Linux).
package postgrestest
