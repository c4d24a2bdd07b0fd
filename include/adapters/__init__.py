"""Everything that touches disks, buckets, keys, Inspect and Great Expectations."""
