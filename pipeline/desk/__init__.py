"""Who gives the log its time and its decisions: the clock, the reviewers, and who sets the limits.

All that they do is to append commands to the stages' topics; what comes of a command is in the events.
"""
