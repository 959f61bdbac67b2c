"""The tables: one file each, with its key, its value, how long an entry is kept, how large it gets."""
