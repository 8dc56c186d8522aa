"""The gate's checks, one a file: each module holds a ``GateCheck`` named ``CHECK``."""
