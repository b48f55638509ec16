import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * What Kafka Streams needs for the work that bench/kafka.ts measures: one thread, each record passed on as it is, and kept
 * by its key in an in-memory store with a changelog when asked to. The input topic must be full already.
 *
 * Usage: StreamsBench BOOTSTRAP (pass-through|stateful) (at_least_once|exactly_once_v2) INPUT OUTPUT APP_ID RECORDS WARM_UP
 * Prints one line of JSON: from record WARM_UP to the last one, wall seconds and CPU seconds (user and system) of this
 * process, then closes. The last commit is not in the time; it is at most one interval.
 */
public final class StreamsBench {
  private static final int COMMIT_INTERVAL_MS = 200;

  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    boolean stateful = args[1].equals("stateful");
    String guarantee = args[2];
    String input = args[3];
    String output = args[4];
    Meter meter = new Meter(Long.parseLong(args[6]), Long.parseLong(args[7]));

    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[5]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, COMMIT_INTERVAL_MS);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("java.io.tmpdir") + "/" + args[5]);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

    try (KafkaStreams streams = new KafkaStreams(topology(stateful, input, output, meter), settings)) {
      streams.start();
      meter.done.await();
      System.out.println(meter.json());
      streams.close(Duration.ofSeconds(30));
    }
  }

  private static Topology topology(boolean stateful, String input, String output, Meter meter) {
    var bytes = Serdes.ByteArray();
    Topology topology = new Topology();
    topology.addSource("in", bytes.deserializer(), bytes.deserializer(), input);
    topology.addProcessor("work", () -> stateful ? new Keep(meter) : new Copy(meter), "in");
    if (stateful) {
      var store = Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("newest"), Serdes.Bytes(), bytes);
      topology.addStateStore(store.withCachingDisabled(), "work");
    }
    topology.addSink("out", output, bytes.serializer(), bytes.serializer(), "work");
    return topology;
  }

  private static class Copy implements Processor<byte[], byte[], byte[], byte[]> {
    protected final Meter meter;
    protected ProcessorContext<byte[], byte[]> context;

    Copy(Meter meter) {
      this.meter = meter;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      context.forward(record);
      meter.count();
    }
  }

  private static final class Keep extends Copy {
    private KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]> newest;

    Keep(Meter meter) {
      super(meter);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      super.init(context);
      newest = context.getStateStore("newest");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      newest.put(org.apache.kafka.common.utils.Bytes.wrap(record.key()), record.value());
      super.process(record);
    }
  }

  /** Counts records, and takes the time and the CPU time of the process at the first and the last that count. */
  private static final class Meter {
    final CountDownLatch done = new CountDownLatch(1);
    private final OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private final AtomicLong seen = new AtomicLong();
    private final long records;
    private final long warmUp;
    private volatile long startedNs;
    private volatile long startedCpuNs;
    private volatile double wallSeconds;
    private volatile double cpuSeconds;

    Meter(long records, long warmUp) {
      this.records = records;
      this.warmUp = warmUp;
    }

    void count() {
      long now = seen.incrementAndGet();
      if (now == warmUp) {
        startedNs = System.nanoTime();
        startedCpuNs = system.getProcessCpuTime();
      } else if (now == records) {
        wallSeconds = (System.nanoTime() - startedNs) / 1e9;
        cpuSeconds = (system.getProcessCpuTime() - startedCpuNs) / 1e9;
        done.countDown();
      }
    }

    String json() {
      return String.format(
          "{\"records\":%d,\"wallSeconds\":%.3f,\"cpuSeconds\":%.3f}", records - warmUp, wallSeconds, cpuSeconds);
    }
  }
}
