"""The subcommands of ``llmclf``, each a `CommandModule`."""
