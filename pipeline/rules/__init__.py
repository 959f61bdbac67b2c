"""Review rules as versions in a log: looking at them, trying them on past orders, changing them.

Every change is one record in the topic `rules.log`, kept for ever, and one command to every partition of dedup's input,
in one Kafka transaction: so a version is in effect everywhere or was never made, and the log says who made it and why.
"""
