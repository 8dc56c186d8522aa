"""The version of this Everfit: package, images, bills of materials and `--version` read it here."""

VERSION = "0.1.0"
