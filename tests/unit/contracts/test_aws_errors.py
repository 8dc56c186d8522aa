"""One table of AWS's error codes, and botocore's classes as they are today."""

from __future__ import annotations

import pytest
from botocore import exceptions

from everfit.contracts.aws_errors import KIND_OF_CLASS, failure_of


def answered(code: str, status: int) -> exceptions.ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "GetObject")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, "credentials"),
        ("SomethingNew", 403, "credentials"),
        ("NoSuchKey", 404, "no-object"),
        ("NoSuchBucket", 404, "no-container"),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "no-container"),
        ("PreconditionFailed", 412, "precondition"),
        ("NotImplemented", 501, "unsupported"),
        ("SlowDown", 503, "unavailable"),
    ],
)
def test_an_answer_is_told_by_its_code_else_by_its_status(code, status, kind):
    failure = failure_of(answered(code, status))
    assert (failure.kind, failure.answered) == (kind, True)
    assert failure.found == f"{code} ({status})"


def test_a_bare_status_is_not_said_twice():
    assert failure_of(answered("404", 404)).found == "404"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.NoCredentialsError(), "credentials"),
        (exceptions.ProfileNotFound(profile="nobody"), "credentials"),
        (exceptions.NoRegionError(), "configuration"),
        (ValueError("Invalid endpoint: http://me:secret@"), "configuration"),
        (exceptions.FlexibleChecksumError(error_msg="differs"), "altered"),
        (exceptions.EndpointConnectionError(endpoint_url="http://me:secret@h"), "unavailable"),
        (ConnectionResetError("reset"), "unavailable"),
    ],
)
def test_an_exception_is_told_by_its_class_and_its_text_is_not_repeated(error, kind):
    failure = failure_of(error)
    assert (failure.kind, failure.answered) == (kind, False)
    assert "secret" not in failure.found


def test_a_parameter_that_is_not_valid_is_named():
    report = "Parameter validation failed:\nInvalid bucket name 'No Bucket'"
    assert failure_of(exceptions.ParamValidationError(report=report)).found.startswith("Invalid")


def test_every_class_of_the_table_is_one_of_botocores():
    ours = KIND_OF_CLASS.keys() - {"ValueError"}
    assert not [name for name in ours if not hasattr(exceptions, name)]
