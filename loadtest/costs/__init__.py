"""Where the time goes: CPU time per order, by stage and piece, beside what this machine cannot do without."""
