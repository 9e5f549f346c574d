"""What Istio and Flagger mean, as pure functions over plain objects.

Reading order: injection (who should have a proxy, who has one), restart (what to do about it), mtls and evidence (what
the mesh encrypts, and what speaks against STRICT), gateway, istiod, config (the fields of meshConfig); and for rollouts
strategy (which kind), observation (what is seen), weights (real traffic), timeline (Flagger's events read back into
numbers), witness (what shows without them), canary (the decision), blue_green (the same without Flagger) and rolling
(where nobody moves traffic).
"""
