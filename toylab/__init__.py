"""The demo's laboratory: a real, tiny model whose skills are STAND-INS for dangerous ones."""
