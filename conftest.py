"""Repository-local pytest set-up; the plugin itself comes in through its entry point."""

pytest_plugins = ["pytester"]
