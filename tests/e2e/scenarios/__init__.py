"""The scenarios: one module a subject, one function a sentence."""
