"""Campaigns: strategies propose molecules, oracles or people say what they are worth, a ledger keeps it all."""
