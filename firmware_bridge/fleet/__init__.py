"""Many nodes in one process: the same agent as on a pole, with virtual players, disks and lines."""
