"""Feedback: what is sent to forges, webhooks and people when a run begins or ends."""
