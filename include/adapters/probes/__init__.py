"""Probes: looks at the real thing that show whether a safeguard is in place (docs/probes.md)."""
