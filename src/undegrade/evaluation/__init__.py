"""What is measured on what, and by which ruler."""
