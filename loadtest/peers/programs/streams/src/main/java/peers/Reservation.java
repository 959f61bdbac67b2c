package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The rule of the job: hold all lines of an order or none, once. */
final class Reservation implements Processor<String, byte[], String, byte[]> {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final ObjectReader READER = MAPPER.readerFor(StockCommand.class);
  private static final ObjectWriter WRITER = MAPPER.writerFor(Answer.class);

  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, Balance> stock;
  private KeyValueStore<String, Hold> holds;

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    this.stock = context.getStateStore(Reserve.STOCK);
    this.holds = context.getStateStore(Reserve.HOLDS);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    try {
      StockCommand command = READER.readValue(record.value());
      switch (command.command()) {
        case "PlaceHold" -> {
          byte[] answer = WRITER.writeValueAsBytes(place(command));
          context.forward(record.withKey(command.orderId()).withValue(answer));
        }
        case "ReceiveStock" -> receive(command);
        default -> { }
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private void receive(StockCommand command) {
    for (Unit unit : command.units()) {
      String key = command.pool() + "|" + unit.sku();
      Balance before = balance(key);
      stock.put(key, new Balance(before.onHand() + unit.units(), before.held()));
    }
  }

  private Answer place(StockCommand command) {
    String orderId = command.orderId();
    String pool = command.pool();
    List<Unit> units = command.units();
    Hold before = holds.get(orderId);
    if (before != null) {
      String first = before.placed() ? "locked" : "refused";
      return new Answer("HoldRepeated", orderId, command.at(), pool, null, null, null, first);
    }
    String[] keys = new String[units.size()];
    Balance[] after = new Balance[units.size()];
    for (int number = 0; number < keys.length; number++) {
      Unit unit = units.get(number);
      keys[number] = pool + "|" + unit.sku();
      Balance there = balance(keys[number]);
      if (there.held() + unit.units() > there.onHand()) {
        holds.put(orderId, new Hold(false, List.of()));
        return new Answer("HoldRefused", orderId, command.at(), pool, null, "out_of_stock", List.of(unit), null);
      }
      after[number] = new Balance(there.onHand(), there.held() + unit.units());
    }
    for (int number = 0; number < keys.length; number++) {
      stock.put(keys[number], after[number]);
    }
    holds.put(orderId, new Hold(true, units));
    return new Answer("HoldPlaced", orderId, command.at(), pool, units, null, null, null);
  }

  private Balance balance(String key) {
    Balance found = stock.get(key);
    return found == null ? Balance.EMPTY : found;
  }
}
