"""What a restart costs with a large memory: restore speed, memory, and the first commit after a kill."""
