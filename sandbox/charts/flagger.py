"""Flagger's kinds: specs and statuses in the notation of `schema`."""

from __future__ import annotations

from sandbox.charts import networking

TYPES = {
    name: networking.TYPES[name]
    for name in ("StringMatch", "HTTPMatch", "HeaderOperations", "Headers", "ClientTLS", "OutlierDetection")
} | {
    "ObjectRef": "name!: str, namespace: str",
    "Extra": "labels: {str}, annotations: {str}",
    "CorsPolicy": """
        allowCredentials: bool, allowHeaders: [str], allowMethods: [str], allowOrigin: [str]
        allowOrigins: [StringMatch], exposeHeaders: [str], maxAge: str""",
    "TrafficPolicy": """
        connectionPool: (http: (h2UpgradePolicy: DEFAULT|DO_NOT_UPGRADE|UPGRADE, http1MaxPendingRequests: int32,
            http2MaxRequests: int32, idleTimeout: str, maxRequestsPerConnection: int32, maxRetries: int32))
        loadBalancer: (consistentHash: (httpCookie: (name: str, path: str, ttl: str), httpHeaderName: str,
            httpQueryParameterName: str, minimumRingSize: int, useSourceIp: bool),
            localityLbSetting: (distribute: [(from: str, to: {int})], enabled: bool, failover: [(from: str, to: str)]),
            simple: ROUND_ROBIN|LEAST_CONN|RANDOM|PASSTHROUGH|LEAST_REQUEST, warmupDurationSecs: str)
        outlierDetection: OutlierDetection
        tls: (caCertificates: str, clientCertificate: str, mode: DISABLE|SIMPLE|MUTUAL|ISTIO_MUTUAL,
            privateKey: str, sni: str, subjectAltNames: [str])""",
    "BackendRef": "group: str, kind: text, name!: text, namespace: text, port: int32",
    "GatewayRef": "group: str, kind: text, name!: text, namespace: text, sectionName: text, port: int32",
    "CanaryService": """
        name: str, port!: num, portName: str, appProtocol: str
        trafficDistribution: PreferClose|PreferSameZone|PreferSameNode
        targetPort: intstr, portDiscovery: bool, headless: bool, timeout: str, backendTimeout: str, meshName: str
        backends: [str], hosts: [str], delegation: bool, match: [HTTPMatch]
        retries: (attempts: int32, perTryTimeout: str, retryOn: str)
        rewrite: (uri: str, authority: str, type: str)
        mirror: [(backendRef: BackendRef)], headers: Headers, gateways: [str], gatewayRefs: [GatewayRef]
        corsPolicy: CorsPolicy, trafficPolicy: TrafficPolicy
        apex: Extra, primary: Extra, canary: Extra, unmanagedMetadata: (annotations: [str], labels: [str])""",
    "HeaderMatch": "exact: str, prefix: str, suffix: str, regex: str",
    "Metric": """
        name!: str, interval: period, threshold: num, thresholdRange: (min: num, max: num), query: str
        templateRef: ObjectRef, templateVariables: {str}""",
    "Webhook": """
        name!: str
        type: ""|confirm-rollout|pre-rollout|rollout|confirm-promotion|post-rollout|event|rollback|
            confirm-traffic-increase
        muteAlert: bool, url!: str, timeout: period, retries: num, disableTLS: bool, metadata: {str}""",
    "Analysis": """
        interval: period, iterations: num, threshold: num, maxWeight: num, stepWeight: num, stepWeights: [num]
        stepWeightPromotion: num, mirror: bool, mirrorWeight: num
        primaryReadyThreshold: num, canaryReadyThreshold: num
        match: [(headers: {HeaderMatch}, queryParams: {StringMatch}, sourceLabels: {str})]
        metrics: [Metric]
        alerts: [(name!: str, severity: ""|info|warn|error, providerRef!: ObjectRef)]
        webhooks: [Webhook]
        sessionAffinity: (cookieName!: str, primaryCookieName: str, domain: str, httpOnly: bool, maxAge: num,
            partitioned: bool, path: str, sameSite: Strict|Lax|None, secure: bool)""",
    "Canary": """
        provider: apisix|appmesh|appmesh:v1beta2|contour|gatewayapi:v1|gatewayapi:v1beta1|gloo|istio|knative|
            kubernetes|kuma|linkerd|nginx|osm|skipper|smi:v1alpha1|smi:v1alpha2|smi:v1alpha3|traefik
        metricsServer: str
        progressDeadlineSeconds: num
        targetRef!: (apiVersion!: str, kind!: DaemonSet|Deployment|Service, name!: str)
        autoscalerRef: (apiVersion!: str, kind!: HorizontalPodAutoscaler|ScaledObject, name!: str,
            primaryScalerQueries: {str}, primaryScalerReplicas: (minReplicas: int, maxReplicas: int))
        ingressRef: (apiVersion!: str, kind!: =Ingress, name!: str)
        routeRef: (apiVersion!: str, kind!: =ApisixRoute, name!: str)
        upstreamRef: (apiVersion!: str, kind!: =Upstream, name!: str, namespace: str)
        service: CanaryService
        skipAnalysis: bool
        revertOnDeletion: bool
        suspend: bool
        analysis!: Analysis""",
    "CanaryStatus": """
        phase: ""|Initializing|Initialized|Waiting|Progressing|WaitingPromotion|Promoting|Finalising|Succeeded|Failed|
            Terminating|Terminated
        failedChecks: num, canaryWeight: num, iterations: num, trackedConfigs: {str}
        lastAppliedSpec: str, lastPromotedSpec: str, lastTransitionTime: time
        sessionAffinityCookie: str, primarySessionAffinityCookie: str, previousSessionAffinityCookie: str
        conditions: [(lastTransitionTime: time, lastUpdateTime: time, message: str, reason!: str, status!: str,
            type!: str)]""",
    "MetricTemplate": """
        provider!: (type!: prometheus|influxdb|datadog|externalmetrics|stackdriver|cloudwatch|newrelic|graphite|
            dynatrace|keptn|splunk,
            address: str, headers: {[str]}, secretRef: (name!: str), region: str, insecureSkipVerify: bool)
        query!: str""",
    "AlertProvider": """
        type: slack|msteams|discord|rocket|gchat
        channel: str, username: str, address: str, proxy: str, secretRef: (name!: str)""",
}
