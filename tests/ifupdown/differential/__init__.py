"""The differential test: the real implementations of interfaces(5) against this project's."""
