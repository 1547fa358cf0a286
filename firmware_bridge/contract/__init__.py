"""The node protocol, version 1, as plain data and pure functions: topics, envelopes, documents, messages and trust."""
