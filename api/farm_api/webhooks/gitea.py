"""Forgejo's and Gitea's webhooks: GitHub's shapes under headers of their own, the signature bare.

Called by the door. What they send is read as GitHub's is; nothing else is known of them.
"""

from farm_api.webhooks.github import GitHub


def gitea() -> GitHub:
    """Gitea."""
    return GitHub(
        name="gitea",
        signatures=("x-gitea-signature", "x-hub-signature-256"),
        kinds=("x-gitea-event",),
        deliveries=("x-gitea-delivery",),
    )


def forgejo() -> GitHub:
    """Forgejo; it sends Gitea's headers as well, and an older one those alone."""
    return GitHub(
        name="forgejo",
        signatures=("x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"),
        kinds=("x-forgejo-event", "x-gitea-event"),
        deliveries=("x-forgejo-delivery", "x-gitea-delivery"),
    )
