"""Webhooks: what forges and a relay of package releases tell the farm, a door for each."""
