from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.data.listing.notifications import TEST, keys_of

RECORD = {"bucket": {"name": "b"}, "object": {"key": "in/a+b%3D1.csv"}}
S3 = {"Records": [{"eventName": "ObjectCreated:Put", "s3": RECORD}]}
BRIDGE = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "b"}, "object": {"key": "in/a+b%3D1.csv"}},
}


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        (S3, [("b", "in/a b=1.csv")]),  # S3 quotes keys
        ({"Type": "Notification", "Message": json.dumps(S3)}, [("b", "in/a b=1.csv")]),
        (BRIDGE, [("b", "in/a+b%3D1.csv")]),  # EventBridge does not
        ({"Service": "Amazon S3", "Event": "s3:TestEvent"}, [TEST]),
        ({"Records": []}, None),
        ({"Records": [{"s3": {}}]}, None),
        ({"Records": [*S3["Records"], 3]}, None),
        ({"Type": "Notification", "Message": "hello"}, None),
        ({"source": "aws.ec2", "detail": BRIDGE["detail"]}, None),
        ([], None),
    ],
)
def test_what_a_message_tells_of(message, keys):
    assert keys_of(json.dumps(message)) == keys


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Records",
                    "s3",
                    "bucket",
                    "object",
                    "name",
                    "key",
                    "Type",
                    "Message",
                    "detail",
                    "source",
                    "Event",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(values | st.text())
def test_anything_else_is_no_notification_and_no_error(message):
    keys = keys_of(message if isinstance(message, str) else json.dumps(message))
    assert keys is None or all(len(key) == 2 for key in keys)


def test_messages_inside_messages_end():
    deep = json.dumps(S3)
    for _ in range(9):
        deep = json.dumps({"Type": "Notification", "Message": deep})
    assert keys_of(deep) is None
    assert keys_of("[" * 100_000) is None
