"""A guard before a Docker engine: what a worker may ask of it, and nothing else.

::

    settings    what the installation allows: images, networks, mounts, limits
    logins      who asks: a runner, by its token
    calls       which calls there are: a path and a query, read and written anew
    shape       which containers there are: the body of create, read and written anew
    archive     what is put into one: plain files below /task
    engine      the engine behind, and whose a container is
    exchange    a request's body as it comes, and an answer as it goes
    door        one request after the other: read, judged, carried out or refused

Nothing a client writes goes to the engine as it is written: path, query, body and archive are read
strictly and made anew from what was understood, so that no two readers of one request can differ.
Who holds the engine's socket holds the machine; here that is this one small process alone.
Described in ``docs/explanation/guard.md``.
"""
