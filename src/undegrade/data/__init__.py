"""Clean photographs, and training batches made from them."""
