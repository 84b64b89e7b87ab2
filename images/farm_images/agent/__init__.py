"""The guest agent: our only root process in a machine; takes one job from the host and sends one stream.

Standard library only; shipped as a zipapp (`agent_archive`). Reading order: `main`, `conversation`, `job`,
`watch`, and then what they use: `channel`, `packets`, `source`, `starter`, `confinement`, `log`, `reports`.

The stream of a job, all ids but the tests' non-runnable:

- `farm:source` and `farm:tox`: `inprogress`, then `success` or `fail` (with a `reason` where there is one).
  `farm:tox` carries `log` (as it is written) and `tox-result.json`.
- `farm:system-packages`, where the project declares some: with a `reason` if it fails; apt's output is part of the
  `log`.
- From the tox plugin, with the tox environment as route: `farm:create`, `farm:install`, `farm:package`,
  `farm:commands` (with `commands.json`); never two open at once in an environment, and `farm:install` may
  come again after `farm:package`; `success`, `fail` or `skip` (no such interpreter, other platform), with a
  `reason`. Without a route: `farm:provision`, when `requires` makes tox install itself anew.
- From the pytest plugin, with the environment as route: each test `exists`, `inprogress`, then its final
  status; attachments before the final status. A subtest is non-runnable, its id begins with its test's, and
  if it fails so does its test. What fails to be collected is a failed test named for its path.
- Of a job that is a plain command there is `farm:command` instead, with `log`, the collected files by their
  absolute paths, and `collected.json` (their sizes, and what was left out, why).
- `farm:error`, with `text`: the agent itself failed; never the project's fault.
- `farm:job`, last, after its `job.json`: {"exit_code", "signal", "limit", "cancelled", "seconds",
  "refused"}. `limit` is null, "time", "log", "results", "memory", "processes" or "disk".
"""
