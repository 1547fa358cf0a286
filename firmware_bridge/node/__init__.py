"""The pole side of the node protocol: a pure agent, its journal and cache, and the players that make the sound."""
