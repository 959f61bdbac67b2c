package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** What an order was answered, and the units held for it. */
record Hold(boolean placed, List<Unit> units) {
  /** One byte, then for each SKU its length, its text and its units. */
  static final class HoldSerde implements Serde<Hold> {
    @Override
    public Serializer<Hold> serializer() {
      return (topic, hold) -> hold == null ? null : write(hold);
    }

    @Override
    public Deserializer<Hold> deserializer() {
      return (topic, bytes) -> bytes == null ? null : read(ByteBuffer.wrap(bytes));
    }

    private static byte[] write(Hold hold) {
      int size = 1;
      List<byte[]> skus = new ArrayList<>(hold.units.size());
      for (Unit unit : hold.units) {
        byte[] sku = unit.sku().getBytes(StandardCharsets.UTF_8);
        skus.add(sku);
        size += Short.BYTES + sku.length + Integer.BYTES;
      }
      ByteBuffer buffer = ByteBuffer.allocate(size).put((byte) (hold.placed ? 1 : 0));
      for (int number = 0; number < skus.size(); number++) {
        byte[] sku = skus.get(number);
        buffer.putShort((short) sku.length).put(sku).putInt(hold.units.get(number).units());
      }
      return buffer.array();
    }

    private static Hold read(ByteBuffer buffer) {
      boolean placed = buffer.get() == 1;
      List<Unit> units = new ArrayList<>();
      while (buffer.hasRemaining()) {
        byte[] sku = new byte[buffer.getShort()];
        buffer.get(sku);
        units.add(new Unit(new String(sku, StandardCharsets.UTF_8), buffer.getInt()));
      }
      return new Hold(placed, units);
    }
  }
}
