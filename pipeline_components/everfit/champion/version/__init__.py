"""A registered version: what it is made of, what it is rebuilt from, how it becomes champion."""
