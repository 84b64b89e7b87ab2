"""The wheelfarm command."""
