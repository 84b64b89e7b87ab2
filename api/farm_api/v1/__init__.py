"""The first version of the REST API, below `/api/v1`."""
