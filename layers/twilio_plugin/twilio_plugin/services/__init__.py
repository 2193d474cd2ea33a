"""What the plugin does: one use case a module, with its ports as arguments."""
