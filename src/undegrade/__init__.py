"""undegrade restores any picture."""
