"""Other programs that do a run's work: OpenRLHF trains policies, vLLM samples, Ray spreads parts over machines."""
