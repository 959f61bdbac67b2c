package peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/** A command of the input; fields that it does not have are passed over. */
@JsonIgnoreProperties(ignoreUnknown = true)
record StockCommand(
    String command, long at, String pool, @JsonProperty("order_id") String orderId, List<Unit> units) {}
