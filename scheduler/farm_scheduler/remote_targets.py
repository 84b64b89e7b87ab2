"""TARGET from elsewhere: what somebody without a shell on the farm's host may name.

Called by the API's doors and by the submissions that they record. Nothing of this host's disk is looked at, and no
name of a host is looked up: the worker that fetches asks `git_access` once more, with the address that it finds.
"""

from farm_scheduler.errors import TargetError
from farm_scheduler.git_access import check_url
from farm_scheduler.settings import Settings
from farm_scheduler.targets import ReleaseTarget, RepositoryTarget, looks_like_path, read_target


def read_remote_target(text: str, settings: Settings) -> ReleaseTarget | RepositoryTarget:
    """What a TARGET from elsewhere means: a release, or a repository that git may be asked for.

    Raises:
        TargetError: it is a path, a repository on this host's disk or on a host that is not asked, or no target.
    """
    text = text.strip()
    if not text.startswith("git+"):
        if looks_like_path(text):
            sentence = (
                f"{text} is a path of your machine; upload it, as `wheelfarm run {text} --server URL` does"
            )
            raise TargetError(sentence, target=text)
        target = read_target(text)
        assert isinstance(target, ReleaseTarget), "paths were refused"  # noqa: S101 - for mypy
        return target
    repository = read_target(text)
    assert isinstance(repository, RepositoryTarget), "nothing else begins so"  # noqa: S101 - for mypy
    if repository.url.startswith("file:"):
        sentence = (
            f"{repository.url} is on the farm's own disk; give a repository on a public host, over https"
        )
        raise TargetError(sentence, target=text)
    check_url(repository.url, settings)
    return repository
