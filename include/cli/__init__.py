"""The `rsp` command."""
