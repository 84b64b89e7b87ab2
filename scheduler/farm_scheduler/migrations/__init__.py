"""The migrations of the record, oldest first; `farm_scheduler.schema` runs them."""
