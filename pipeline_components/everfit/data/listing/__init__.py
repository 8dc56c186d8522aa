"""The lister: one long-lived process that looks at sources for an Airflow triggerer.

It reads a request per line of JSON from its input and writes an answer per line to its output, in
the order in which they are ready:

- ``{"id", "do": "look", "source", "connection"}`` → ``{"id", "state", "spans", "notes",
  "seconds"}``. ``state`` is a digest over the names and fingerprints of all spans: two looks with
  one state saw the same.
- ``{"id", "do": "receive", "source"}`` waits for the source's queue, 20 s at most, →
  ``{"id", "receipts", "others", "problem"}``.
- ``{"id", "do": "delete", "source", "receipts"}`` → ``{"id", "deleted"}``.

Where one fails the answer is ``{"id", "error", "code", "retry"}``. No answer and no argument of
the process ever holds a secret; the URL of a connection comes with the request, and so does
``"aws"``: the variables by which boto3 knows who asks, where the installation names a connection.

The same lines are spoken over TCP with ``--listen HOST:PORT`` (``service``), where the first may be
``{"id", "do": "enter", "token"}``.
"""
