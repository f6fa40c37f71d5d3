"""Archives: many pictures in folders or object stores, restored or diagnosed by the machines of a Ray cluster."""
