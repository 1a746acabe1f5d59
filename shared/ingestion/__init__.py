"""The Log Analytics side: rows, batches, and the APIs that take them."""
