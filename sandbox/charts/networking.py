"""Istio's networking, telemetry and extension kinds: specs in the notation of `schema`."""

from __future__ import annotations

TYPES = {
    "StringMatch": "exact: str, prefix: str, regex: str",
    "PortSelector": "number: uint32",
    "Destination": "host!: str, port: PortSelector, subset: str",
    "HeaderOperations": "add: {str}, remove: [str], set: {str}",
    "Headers": "request: HeaderOperations, response: HeaderOperations",
    "Percent": "value: double",
    "Selector": "matchLabels: {str}",
    "LabelSelector": "labels: {str}",
    "TargetRef": "group: str, kind!: text, name!: text, namespace: str",
    # VirtualService
    "HTTPMatch": """
        authority: StringMatch, gateways: [str], headers: {StringMatch}, ignoreUriCase: bool, method: StringMatch
        name: str, port: uint32, queryParams: {StringMatch}, scheme: StringMatch, sourceLabels: {str}
        sourceNamespace: str, statPrefix: str, uri: StringMatch, withoutHeaders: {StringMatch}""",
    "HTTPFault": """
        abort: (grpcStatus: str, http2Error: str, httpStatus: int32, percentage: Percent)
        delay: (exponentialDelay: str, fixedDelay: str, percent: int32, percentage: Percent)""",
    "CorsPolicy": """
        allowCredentials: bool, allowHeaders: [str], allowMethods: [str], allowOrigin: [str]
        allowOrigins: [StringMatch], exposeHeaders: [str], maxAge: str
        unmatchedPreflights: UNSPECIFIED|FORWARD|IGNORE""",
    "HTTPRoute": """
        corsPolicy: CorsPolicy
        delegate: (name: str, namespace: str)
        directResponse: (body: (bytes: str, string: str), status!: uint32)
        fault: HTTPFault
        headers: Headers
        match: [HTTPMatch]
        mirror: Destination
        mirror_percent: uint32
        mirrorPercent: uint32
        mirrorPercentage: Percent
        mirrors: [(destination!: Destination, percentage: Percent)]
        name: str
        redirect: (authority: str, derivePort: FROM_PROTOCOL_DEFAULT|FROM_REQUEST_PORT, port: uint32,
            redirectCode: uint32, scheme: str, uri: str)
        retries: (attempts: int32, backoff: str, perTryTimeout: str, retryIgnorePreviousHosts: bool, retryOn: str,
            retryRemoteLocalities: bool)
        rewrite: (authority: str, uri: str, uriRegexRewrite: (match: str, rewrite: str))
        route: [(destination!: Destination, headers: Headers, weight: int32)]
        timeout: str""",
    "L4Match": """
        destinationSubnets: [str], gateways: [str], port: uint32, sourceLabels: {str}, sourceNamespace: str
        sourceSubnet: str""",
    "TLSMatch": """
        destinationSubnets: [str], gateways: [str], port: uint32, sniHosts!: [str], sourceLabels: {str}
        sourceNamespace: str""",
    "L4Route": "destination!: Destination, weight: int32",
    "VirtualService": """
        exportTo: [str]
        gateways: [str]
        hosts: [str]
        http: [HTTPRoute]
        tcp: [(match: [L4Match], route: [L4Route])]
        tls: [(match!: [TLSMatch], route: [L4Route])]""",
    # DestinationRule
    "ConnectionPool": """
        http: (h2UpgradePolicy: DEFAULT|DO_NOT_UPGRADE|UPGRADE, http1MaxPendingRequests: int32, http2MaxRequests: int32,
            idleTimeout: str, maxConcurrentStreams: int32, maxRequestsPerConnection: int32, maxRetries: int32,
            useClientProtocol: bool)
        tcp: (connectTimeout: str, idleTimeout: str, maxConnectionDuration: str, maxConnections: int32,
            tcpKeepalive: (interval: str, probes: uint32, time: str))""",
    "LoadBalancer": """
        consistentHash: (httpCookie: (attributes: [(name!: str, value: str)], name!: str, path: str, ttl: str),
            httpHeaderName: str, httpQueryParameterName: str, maglev: (tableSize: int), minimumRingSize: int,
            ringHash: (minimumRingSize: int), useSourceIp: bool)
        localityLbSetting: (distribute: [(from: str, to: {uint32})], enabled: bool, failover: [(from: str, to: str)],
            failoverPriority: [str])
        simple: UNSPECIFIED|LEAST_CONN|RANDOM|PASSTHROUGH|ROUND_ROBIN|LEAST_REQUEST
        warmup: (aggression: double, duration!: str, minimumPercent: double)
        warmupDurationSecs: str""",
    "OutlierDetection": """
        baseEjectionTime: str, consecutive5xxErrors: uint32, consecutiveErrors: int32
        consecutiveGatewayErrors: uint32, consecutiveLocalOriginFailures: uint32, interval: str
        maxEjectionPercent: int32, minHealthPercent: int32, splitExternalLocalOriginErrors: bool""",
    "ClientTLS": """
        caCertificates: str, caCrl: str, clientCertificate: str, credentialName: str, insecureSkipVerify: bool
        mode: DISABLE|SIMPLE|MUTUAL|ISTIO_MUTUAL, privateKey: str, sni: str, subjectAltNames: [str]""",
    "PortPolicy": """
        connectionPool: ConnectionPool
        loadBalancer: LoadBalancer
        outlierDetection: OutlierDetection
        port: PortSelector
        tls: ClientTLS""",
    "TrafficPolicy": """
        connectionPool: ConnectionPool
        loadBalancer: LoadBalancer
        outlierDetection: OutlierDetection
        portLevelSettings: [PortPolicy]
        proxyProtocol: (version: V1|V2)
        retryBudget: (minRetryConcurrency: uint32, percent: double)
        tls: ClientTLS
        tunnel: (protocol: str, targetHost!: str, targetPort!: uint32)""",
    "DestinationRule": """
        exportTo: [str]
        host!: str
        subsets: [(labels: {str}, name!: str, trafficPolicy: TrafficPolicy)]
        trafficPolicy: TrafficPolicy
        workloadSelector: Selector""",
    # Gateway, ServiceEntry, Sidecar and workloads
    "ServerTLS": """
        caCertCredentialName: str, caCertificates: str, caCrl: str, cipherSuites: [str], credentialName: str
        credentialNames: [str], httpsRedirect: bool
        maxProtocolVersion: TLS_AUTO|TLSV1_0|TLSV1_1|TLSV1_2|TLSV1_3
        minProtocolVersion: TLS_AUTO|TLSV1_0|TLSV1_1|TLSV1_2|TLSV1_3
        mode: PASSTHROUGH|SIMPLE|MUTUAL|AUTO_PASSTHROUGH|ISTIO_MUTUAL|OPTIONAL_MUTUAL
        privateKey: str, serverCertificate: str, subjectAltNames: [str]
        tlsCertificates: [(caCertificates: str, privateKey: str, serverCertificate: str)]
        verifyCertificateHash: [str], verifyCertificateSpki: [str]""",
    "Gateway": """
        selector: {str}
        servers: [(bind: str, defaultEndpoint: str, hosts!: [str], name: str,
            port!: (name!: str, number!: uint32, protocol!: str, targetPort: uint32), tls: ServerTLS)]""",
    "WorkloadEntry": """
        address: str, labels: {str}, locality: str, network: str, ports: {uint32}, serviceAccount: str
        weight: uint32""",
    "ServiceEntry": """
        addresses: [str]
        endpoints: [WorkloadEntry]
        exportTo: [str]
        hosts!: [str]
        location: MESH_EXTERNAL|MESH_INTERNAL
        ports: [(name!: str, number!: uint32, protocol: str, targetPort: uint32)]
        resolution: NONE|STATIC|DNS|DNS_ROUND_ROBIN|DYNAMIC_DNS
        subjectAltNames: [str]
        workloadSelector: LabelSelector""",
    "SidecarPort": "name: str, number: uint32, protocol: str, targetPort: uint32",
    "Sidecar": """
        egress: [(bind: str, captureMode: DEFAULT|IPTABLES|NONE, hosts!: [str], port: SidecarPort)]
        inboundConnectionPool: ConnectionPool
        ingress: [(bind: str, captureMode: DEFAULT|IPTABLES|NONE, connectionPool: ConnectionPool,
            defaultEndpoint: str, port!: SidecarPort, tls: ServerTLS)]
        outboundTrafficPolicy: (egressProxy: Destination, mode: REGISTRY_ONLY|ALLOW_ANY)
        workloadSelector: LabelSelector""",
    "WorkloadGroup": """
        metadata: (annotations: {str}, labels: {str})
        probe: any
        template!: WorkloadEntry""",
    "ProxyConfig": """
        concurrency: int32, environmentVariables: {str}, image: (imageType: str), selector: Selector""",
    "EnvoyFilter": """
        configPatches: [(applyTo: INVALID|LISTENER|FILTER_CHAIN|NETWORK_FILTER|HTTP_FILTER|ROUTE_CONFIGURATION|
            VIRTUAL_HOST|HTTP_ROUTE|CLUSTER|EXTENSION_CONFIG|BOOTSTRAP|LISTENER_FILTER,
            match: any, patch: any)]
        priority: int32
        targetRefs: [TargetRef]
        workloadSelector: LabelSelector""",
    # Telemetry
    "Provider": "name!: text",
    "ModeMatch": "mode: CLIENT_AND_SERVER|CLIENT|SERVER",
    "MetricOverride": """
        disabled: bool
        match: (customMetric: text, mode: CLIENT_AND_SERVER|CLIENT|SERVER, metric: ALL_METRICS|REQUEST_COUNT|
            REQUEST_DURATION|REQUEST_SIZE|RESPONSE_SIZE|TCP_OPENED_CONNECTIONS|TCP_CLOSED_CONNECTIONS|TCP_SENT_BYTES|
            TCP_RECEIVED_BYTES|GRPC_REQUEST_MESSAGES|GRPC_RESPONSE_MESSAGES)
        tagOverrides: {(operation: UPSERT|REMOVE, value: str)}""",
    "Telemetry": """
        accessLogging: [(disabled: bool, filter: (expression: str), match: ModeMatch, providers: [Provider])]
        metrics: [(overrides: [MetricOverride], providers: [Provider], reportingInterval: str)]
        selector: Selector
        targetRef: TargetRef
        targetRefs: [TargetRef]
        tracing: [(customTags: {any}, disableContextPropagation: bool, disableSpanReporting: bool,
            enableIstioTags: bool, match: ModeMatch, providers: [Provider], randomSamplingPercentage: double,
            useRequestIdForTraceSampling: bool)]""",
    # Extensions
    "TrafficSelector": "mode: UNDEFINED|CLIENT|SERVER|CLIENT_AND_SERVER, ports: [(number!: uint32)]",
    "WasmEnvironment": "env: [(name!: text, value: str, valueFrom: INLINE|HOST)]",
    "WasmModule": """
        failStrategy: FAIL_CLOSE|FAIL_OPEN|FAIL_RELOAD
        imagePullPolicy: UNSPECIFIED_POLICY|IfNotPresent|Always
        imagePullSecret: text, pluginConfig: any, pluginName: text, sha256: str
        type: UNSPECIFIED_PLUGIN_TYPE|HTTP|NETWORK
        url!: text, verificationKey: str, vmConfig: WasmEnvironment""",
    "WasmPlugin": """
        failStrategy: FAIL_CLOSE|FAIL_OPEN|FAIL_RELOAD
        imagePullPolicy: UNSPECIFIED_POLICY|IfNotPresent|Always
        imagePullSecret: text, match: [TrafficSelector]
        phase: UNSPECIFIED_PHASE|AUTHN|AUTHZ|STATS
        pluginConfig: any, pluginName: text, priority: int32, selector: Selector, sha256: str
        targetRef: TargetRef, targetRefs: [TargetRef]
        type: UNSPECIFIED_PLUGIN_TYPE|HTTP|NETWORK
        url!: text, verificationKey: str, vmConfig: WasmEnvironment""",
    "TrafficExtension": """
        lua: (inlineCode!: text)
        match: [TrafficSelector]
        phase: UNSPECIFIED|AUTHN|AUTHZ|STATS
        priority: int32, selector: Selector, targetRefs: [TargetRef], wasm: WasmModule""",
}
