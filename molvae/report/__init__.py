"""Pictures: molecules, curves and latent spaces."""
