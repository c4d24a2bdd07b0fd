"""The domain of a Responsible Scaling Policy: pure functions over typed data."""
