"""HTTP as every backend uses it: connections, addresses, errors, redaction."""
