"""Networks that others have trained, whose hidden layers are features: see docs/encoders.md."""
