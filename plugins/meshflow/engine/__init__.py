"""Plan, apply and wait: the pure rules and the clients put together, without Airflow.

Reading order: reading (live objects, few requests), inventory, verdicts, comparer, planner, applier, waiting,
explaining; of services: releasing, blue_green; of add-ons and gates: credentials, addons, observing, questions,
gates.

    plan = await planner.plan(kube, desired, SetRules("istio"))
    await applier.begin(kube, desired, plan)                      # refuses before the first write; widens the inventory
    for stage in stages(desired):
        await applier.apply(kube, desired, plan, stage=stage)     # writes only what differs
        ...                                                       # wait until stage.references are healthy
    await applier.finish(kube, desired, plan)                     # prunes, then narrows the inventory
"""
