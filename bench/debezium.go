package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	conf := []string{
		"name=bench", "connector.class=io.debezium.connector.postgresql.PostgresConnector",
		"offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore", "offset.storage.file.filename=" + filepath.Join(s.dir, slot+".offsets"),
		"offset.flush.interval.ms=1000", "database.hostname=127.0.0.1", "database.port=" + strconv.Itoa(s.Port), "database.user=postgres",
		"database.password=x", "database.dbname=postgres", "topic.prefix=bench", "plugin.name=pgoutput", "slot.name=" + slot,
		"publication.name=" + slot, "publication.autocreate.mode=filtered", "table.include.list=public.accounts", "snapshot.mode=" + kind,
		"max.batch.size=20480", "max.queue.size=81920", "poll.interval.ms=10", "snapshot.fetch.size=10240",
		"key.converter.schemas.enable=false", "value.converter.schemas.enable=false", "converter.schemas.enable=false",
	}
	file := filepath.Join(s.dir, slot+".properties")
	if err := os.WriteFile(file, []byte(strings.Join(conf, "\n")+"\n"), 0o644); err != nil {
		return nil, err
	}
	f, err := command(ctx, nil, "java", "-cp", filepath.Join(b.cache, "jars", "*"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
		filepath.Join(b.repo, "bench", "peers", "Debezium.java"), file, strconv.Itoa(rows))
	if err != nil {
		return nil, err
	}
	if f["events"] != float64(rows) && mode != "position" {
		return nil, fmt.Errorf("debezium: %v events, not %d", f["events"], rows)
	}
	return f, nil
}
