package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// debezium is the Debezium engine over the table accounts, tuned: large batches and queues, a poll every 10 ms, the
// fields of the heap that its documentation recommends left to the JVM.
func (b *bench) debezium(s *server, mode string, rows, runs int) side {
	i := 0
	return side{name: "debezium", runs: runs, run: func(ctx context.Context) (figures, error) {
		i++
		slot := "debezium"
		if mode == "snapshot" {
			slot += strconv.Itoa(i)
		}
		return b.runDebezium(ctx, s, slot, mode, rows)
	}}
}

// debeziumPosition lets Debezium make its slot and note its position, before there is anything to stream.
func (b *bench) debeziumPosition(ctx context.Context, s *server) error {
	_, err := b.runDebezium(ctx, s, "debezium", "position", 0)
	return err
}

func (b *bench) runDebezium(ctx context.Context, s *server, slot, mode string, rows int) (figures, error) {
	kind := "initial"
	if mode != "snapshot" {
		kind = "no_data"
	}
	file, err := debeziumConf(s, slot, "snapshot.mode="+kind, "max.batch.size=20480", "max.queue.size=81920",
		"poll.interval.ms=10", "snapshot.fetch.size=10240")
	if err != nil {
		return nil, err
	}
	f, err := command(ctx, nil, "java", "-cp", filepath.Join(b.cache, "jars", "*"),
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
		filepath.Join(b.repo, "bench", "peers", "Debezium.java"), file, strconv.Itoa(rows))
	if err != nil {
		return nil, err
	}
	if f["events"] != float64(rows) && mode != "position" {
		return nil, fmt.Errorf("debezium: %v events, not %d", f["events"], rows)
	}
	return f, nil
}

// debeziumConf writes the engine's settings: those for the table accounts, and more.
func debeziumConf(s *server, slot string, more ...string) (file string, err error) {
	conf := append([]string{
		"name=bench", "connector.class=io.debezium.connector.postgresql.PostgresConnector",
		"offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore",
		"offset.storage.file.filename=" + filepath.Join(s.dir, slot+".offsets"),
		"offset.flush.interval.ms=1000", "database.hostname=127.0.0.1",
		"database.port=" + strconv.Itoa(s.Port), "database.user=postgres",
		"database.password=x", "database.dbname=postgres", "topic.prefix=bench", "plugin.name=pgoutput", "slot.name=" + slot,
		"publication.name=" + slot, "publication.autocreate.mode=filtered", "table.include.list=public.accounts",
		"key.converter.schemas.enable=false", "value.converter.schemas.enable=false", "converter.schemas.enable=false",
	}, more...)
	file = filepath.Join(s.dir, slot+".properties")
	return file, os.WriteFile(file, []byte(strings.Join(conf, "\n")+"\n"), 0o644)
}

// idleDebezium is the engine with its own defaults for batches and queues, compiled before, in a machine of such
// options. It makes its slot, streams 1,000 rows, 20 at a time, and is looked at after it has been idle for a while;
// one more row shows that it still works.
func (b *bench) idleDebezium(s *server, idle time.Duration, name string, options ...string) side {
	i := 0
	return side{name: name, run: func(ctx context.Context) (figures, error) {
		i++
		slot := fmt.Sprintf("idle%d_%d", len(options), i)
		file, err := debeziumConf(s, slot, "snapshot.mode=no_data")
		if err != nil {
			return nil, err
		}
		classes, jars := filepath.Join(b.cache, "classes"), filepath.Join(b.cache, "jars", "*")
		if out, err := exec.CommandContext(ctx, "javac", "-d", classes, "-cp",
			jars, filepath.Join(b.repo, "bench", "peers", "Debezium.java")).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("javac: %w\n%s", err, out)
		}
		if err := s.exec(ctx, "DROP TABLE IF EXISTS accounts", accounts); err != nil {
			return nil, err
		}
		const rows = 1000
		cmd := exec.CommandContext(ctx, "java", append(options, "-cp",
			classes+":"+jars, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "Debezium", file, strconv.Itoa(rows+1))...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		peak := watchPeak(cmd.Process.Pid)
		defer func() {
			if cmd.ProcessState == nil {
				cmd.Process.Kill()
				cmd.Wait()
			}
		}()
		if err := s.reach(ctx, "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '"+
			slot+"'", 1); err != nil {
			return nil, fmt.Errorf("debezium: %w\n%s", err, tail(errs.String()))
		}
		for n := 0; n < rows; n += 20 {
			if err := errors.Join(s.exec(ctx, fillAccounts(n, 20)), sleep(ctx, 50*time.Millisecond)); err != nil {
				return nil, err
			}
		}
		if err := sleep(ctx, idle); err != nil {
			return nil, err
		}
		f := figures{"idle_mb": memory(cmd.Process.Pid, "VmRSS:"), "anon_mb": memory(cmd.Process.Pid, "RssAnon:"),
			"file_mb": memory(cmd.Process.Pid, "RssFile:")}
		if err := s.exec(ctx, fillAccounts(rows, 1)); err != nil {
			return nil, err
		}
		late := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			return nil, fmt.Errorf("debezium: %w\n%s%s", err, tail(out.String()), tail(errs.String()))
		}
		if want := fmt.Sprintf(`{"events":%d,`, rows+1); !strings.Contains(out.String(), want) {
			return nil, fmt.Errorf("debezium: not %d events: %s%s", rows+1, tail(out.String()), tail(errs.String()))
		}
		f.usage(cmd.ProcessState, peak())
		if err := s.reach(ctx, "SELECT 1 - count(*) FROM pg_replication_slots WHERE active AND slot_name = '"+
			slot+"'", 1); err != nil {
			return nil, err
		}
		return f, s.exec(ctx, "SELECT pg_drop_replication_slot('"+slot+"')")
	}}
}
