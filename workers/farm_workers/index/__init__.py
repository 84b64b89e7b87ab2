"""The package index proxy: what `farm_workers.index_proxy` is made of, read from `machines` inwards."""
