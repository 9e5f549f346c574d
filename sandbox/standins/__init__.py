"""Stand-ins for the programs that a mesh runs: awake only while the Deployment that would run them is available.

Reading order: base (how they wake and sleep), catalogue (which there are), istiod, injection, gateway, prometheus,
grafana, kiali, loadtester, flagger.
"""
