"""Models in GGUF files, run by a `llama-server` of our own."""
