"""What DAGs, plugins, notary and command line share; its layers: docs/architecture.md."""
