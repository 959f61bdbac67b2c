package peers;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/** So many units of one SKU; on the wire `["sku-1", 2]`. */
@JsonFormat(shape = JsonFormat.Shape.ARRAY)
@JsonPropertyOrder({"sku", "units"})
record Unit(String sku, int units) {}
