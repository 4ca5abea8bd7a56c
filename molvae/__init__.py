"""molvae: molecular generative design with a VAE whose latent points mean one molecule each."""
