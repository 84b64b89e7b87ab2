"""The hands: hold the machines of a host, run jobs in them and read their streams."""
