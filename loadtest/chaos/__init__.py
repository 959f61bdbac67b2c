"""Faults under load: the test build, the faults, and the run that puts them to a deployment."""
