"""The notary: the ledger's only sequencer and the only signer of permits, leases and holds."""
