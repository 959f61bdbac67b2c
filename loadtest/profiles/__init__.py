"""Load profiles: what a load is made of, as files; and what came of one, as a report that can be compared."""
