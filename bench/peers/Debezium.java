// Runs the Debezium engine over a properties file and counts events.
// usage: java -cp 'jars/*' Debezium.java FILE.properties COUNT; COUNT 0 waits until the engine streams, and ends.
import io.debezium.engine.*;
import io.debezium.engine.format.Json;
import java.io.*;
import java.util.*;
import java.util.concurrent.*;

public class Debezium {
    public static void main(String[] a) throws Exception {
        Properties p = new Properties();
        try (Reader r = new FileReader(a[0])) { p.load(r); }
        long want = Long.parseLong(a[1]);
        long[] n = {0}, first = {0}, last = {0};
        long start = System.nanoTime();
        CountDownLatch done = new CountDownLatch(1);
        DebeziumEngine<ChangeEvent<String, String>> e = DebeziumEngine.create(Json.class).using(p)
            .using(new DebeziumEngine.ConnectorCallback() {
                public void taskStarted() { if (want == 0) new Thread(() -> { try { Thread.sleep(8000); } catch (InterruptedException x) { } done.countDown(); }).start(); }
            })
            .notifying((List<ChangeEvent<String, String>> rs, DebeziumEngine.RecordCommitter<ChangeEvent<String, String>> c) -> {
                if (first[0] == 0) first[0] = System.nanoTime();
                for (var r : rs) { n[0]++; c.markProcessed(r); }
                last[0] = System.nanoTime();
                c.markBatchFinished();
                if (want > 0 && n[0] >= want) done.countDown();
            })
            .using((ok, msg, err) -> { if (!ok) { System.err.println(msg); if (err != null) err.printStackTrace(); } done.countDown(); })
            .build();
        ExecutorService x = Executors.newSingleThreadExecutor();
        x.execute(e);
        if (!done.await(600, TimeUnit.SECONDS)) System.err.println("debezium: timed out");
        double s = (last[0] - first[0]) / 1e9, all = (last[0] - start) / 1e9;
        e.close();
        System.out.printf(Locale.ROOT, "{\"events\":%d,\"rows_per_s\":%.1f,\"after_first_per_s\":%.1f,\"first_s\":%.3f}%n",
            n[0], n[0] / Math.max(all, 1e-9), n[0] / Math.max(s, 1e-9), (first[0] - start) / 1e9);
        x.shutdownNow();
        System.exit(0);
    }
}
