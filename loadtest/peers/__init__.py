"""Side by side: the same work given to this engine and to its peers, on one broker, in one run."""
