package peers;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** The units of a SKU: on hand and held. */
record Balance(int onHand, int held) {
  static final Balance EMPTY = new Balance(0, 0);

  /** Two integers of four bytes. */
  static final class BalanceSerde implements Serde<Balance> {
    @Override
    public Serializer<Balance> serializer() {
      return (topic, balance) ->
          balance == null ? null : ByteBuffer.allocate(8).putInt(balance.onHand).putInt(balance.held).array();
    }

    @Override
    public Deserializer<Balance> deserializer() {
      return (topic, bytes) -> {
        if (bytes == null) {
          return null;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        return new Balance(buffer.getInt(), buffer.getInt());
      };
    }
  }
}
