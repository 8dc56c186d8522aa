"""Who somebody is to AWS, and how that is said anew."""

from __future__ import annotations

import re
from collections.abc import Mapping

IDENTITY = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|PROFILE|DEFAULT_PROFILE|"
    r"ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_\w+)"
)
"""Who somebody is; the other variables say where AWS is and how it is reached."""


def as_said(around: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Variables for AWS after others were given; a whole identity replaces another.

    >>> as_said({"AWS_SESSION_TOKEN": "old", "AWS_REGION": "r"}, {"AWS_ACCESS_KEY_ID": "new"})
    {'AWS_REGION': 'r', 'AWS_ACCESS_KEY_ID': 'new'}
    """
    own = any(IDENTITY.fullmatch(variable) for variable in given)
    kept = {k: v for k, v in around.items() if not (own and IDENTITY.fullmatch(k))}
    if "AWS_ENDPOINT_URL" in given:  # one for S3 alone would win over it
        kept.pop("AWS_ENDPOINT_URL_S3", None)
    return {**kept, **given}
