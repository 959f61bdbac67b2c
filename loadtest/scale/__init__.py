"""Scale on paper: what a rate of orders would need, from measured costs, and a simulation of how it would spread."""
