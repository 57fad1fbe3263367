"""The subcommands of ``llmclf``, each a module with ``add_parser`` and a function that runs it."""
