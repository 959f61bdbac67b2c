"""The independent check: reads what went in and what came out afresh, and folds it with a small model of its own.

It shares no code with the rules, the stages or the engine that it judges: records are plain JSON to it, and the names
of topics, events and states are written out here once more.
"""
