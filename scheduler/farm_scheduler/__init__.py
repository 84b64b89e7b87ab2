"""What should happen, and what did: planning, jobs, leases, results and the record."""
