package peers;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/** An answer to an order. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Answer(
    String event,
    @JsonProperty("order_id") String orderId,
    long at,
    String pool,
    List<Unit> units,
    String reason,
    @JsonProperty("short") List<Unit> missing,
    String answer) {}
