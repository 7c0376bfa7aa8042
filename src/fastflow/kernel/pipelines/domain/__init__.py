"""What a pipeline is and what can be wrong with one; reads texts it is given, never the disk."""
