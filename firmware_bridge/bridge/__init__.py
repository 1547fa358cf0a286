"""The server's side of the node protocol: the broker, what comes in, and what has to go out."""
