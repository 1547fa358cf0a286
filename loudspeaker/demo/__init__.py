"""An election morning in a sample commune: real server, real broker, real nodes, sample people."""
