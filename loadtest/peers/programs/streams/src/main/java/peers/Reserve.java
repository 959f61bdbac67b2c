package peers;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The job on Kafka Streams: a processor with two in-memory stores, both with changelogs, exactly_once_v2.
 *
 * <p>Arguments: bootstrap servers, application id, state directory, input topic, output topic, milliseconds between
 * commits, stream threads, whether the stores are cached (changes of a key between two commits become one).
 */
public final class Reserve {
  static final String STOCK = "stock";
  static final String HOLDS = "holds";
  private static final int SESSION_MS = 6_000;
  private static final int TRANSACTION_MS = 10_000;

  private Reserve() {}

  public static void main(String[] arguments) {
    KafkaStreams streams =
        new KafkaStreams(
            topology(arguments[3], arguments[4], Boolean.parseBoolean(arguments[7])), settings(arguments));
    streams.setUncaughtExceptionHandler(
        failure -> {
          failure.printStackTrace();
          Runtime.getRuntime().halt(70);
          return null;
        });
    streams.start();
  }

  private static Topology topology(String reads, String writes, boolean cached) {
    Topology topology = new Topology();
    topology.addSource("commands", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), reads);
    topology.addProcessor("reserve", Reservation::new, "commands");
    topology.addStateStore(store(STOCK, new Balance.BalanceSerde(), cached), "reserve");
    topology.addStateStore(store(HOLDS, new Hold.HoldSerde(), cached), "reserve");
    topology.addSink("answers", writes, Serdes.String().serializer(), Serdes.ByteArray().serializer(), "reserve");
    return topology;
  }

  private static <V> StoreBuilder<?> store(
      String name, org.apache.kafka.common.serialization.Serde<V> values, boolean cached) {
    var builder =
        Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.String(), values)
            .withLoggingEnabled(Map.of());
    return cached ? builder.withCachingEnabled() : builder.withCachingDisabled();
  }

  private static Properties settings(String[] arguments) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[2]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[5]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[6]);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L * 1024 * 1024);
    settings.put(StreamsConfig.consumerPrefix("group.instance.id"), arguments[1]);
    settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), SESSION_MS);
    settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), SESSION_MS / 3);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.consumerPrefix("fetch.max.wait.ms"), 20);
    settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 1000);
    settings.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), TRANSACTION_MS);
    settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
    settings.put(StreamsConfig.producerPrefix("linger.ms"), 50);
    settings.put(StreamsConfig.producerPrefix("batch.size"), 256 * 1024);
    return settings;
  }
}
