"""The fields of Istio's mesh configuration, as far as istiod reads them.

istiod passes over a field that it does not know without a word: a misspelt `outboundTrafficPolicy` leaves the mesh
open. Of a value of the wrong type or an unknown word it refuses the whole configuration. Neither shows in any chart:
the chart hands `meshConfig` on as it is.

The names, types and words are those of MeshConfig and ProxyConfig in istio/api 1.30.3 (mesh/v1alpha1/config.proto and
proxy.proto, and what they use of networking/v1alpha3), written as an OpenAPI schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = "1.30"
"""The minor version of Istio whose fields these are; others may have more."""

Schema = Mapping[str, Any]


def known_to(version: str) -> bool:
    """Whether the table is that of this version of Istio."""
    return version.startswith(f"{VERSION}.")


_TEXT: Schema = {"type": "string", "nullable": True}
_NUMBER: Schema = {"type": ["number", "string"], "nullable": True}  # Protobuf reads "80" as a number
_SWITCH: Schema = {"type": "boolean", "nullable": True}  # but not "true" as a boolean
_ANYTHING: Schema = {}


def _word(*words: str) -> Schema:
    return {"enum": [*words, None]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "nullable": True, "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "nullable": True, "additionalProperties": values}


def _fields(*, texts: str = "", numbers: str = "", switches: str = "", lists: str = "", **others: Schema) -> Schema:
    """A message: the names of its plain fields by type (durations are texts, lists are of texts), then the others."""
    properties = dict.fromkeys(texts.split(), _TEXT)
    properties |= dict.fromkeys(numbers.split(), _NUMBER)
    properties |= dict.fromkeys(switches.split(), _SWITCH)
    properties |= {name: _list(_TEXT) for name in lists.split()}
    return {"type": "object", "nullable": True, "properties": {**properties, **others}}


_EMPTY: Schema = {"type": "object", "nullable": True}
_TLS = _fields(
    texts="clientCertificate privateKey caCertificates credentialName sni caCrl",
    switches="insecureSkipVerify",
    lists="subjectAltNames",
    mode=_word("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
)
_KEEPALIVE = _fields(texts="time interval", numbers="probes")
_REMOTE = _fields(texts="address", tlsSettings=_TLS, tcpKeepalive=_KEEPALIVE)
_SELECTOR = _fields(matchLabels=_map(_TEXT), matchExpressions=_list(_fields(texts="key operator", lists="values")))
_STACKDRIVER = "maxNumberOfAttributes maxNumberOfAnnotations maxNumberOfMessageEvents"
_FORWARD = _word("UNDEFINED", "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY")
_TRACE_CONTEXTS = _list(_word("UNSPECIFIED", "W3C_TRACE_CONTEXT", "GRPC_BIN", "CLOUD_TRACE_CONTEXT", "B3"))
_DISABLED = _fields(switches="disabled")
_ENABLED = _fields(switches="enabled")
_KEY_OFFLOAD = _fields(texts="pollDelay", switches="fallback")

_TRACING = _fields(
    numbers="maxPathTagLength sampling",
    switches="enableIstioTags",
    zipkin=_fields(texts="address"),
    lightstep=_fields(texts="address accessToken"),
    datadog=_fields(texts="address"),
    stackdriver=_fields(switches="debug", numbers=_STACKDRIVER),
    openCensusAgent=_fields(texts="address", context=_TRACE_CONTEXTS),
    customTags=_map(
        _fields(
            literal=_fields(texts="value"),
            environment=_fields(texts="name defaultValue"),
            header=_fields(texts="name defaultValue"),
        )
    ),
    tlsSettings=_TLS,
)
_READINESS = _fields(
    numbers="initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold",
    httpGet=_fields(texts="path host scheme", numbers="port", httpHeaders=_list(_fields(texts="name value"))),
    tcpSocket=_fields(texts="host", numbers="port"),
    exec=_fields(lists="command"),
    grpc=_fields(texts="service", numbers="port"),
)
_PROXY_HEADERS = _fields(
    switches="preserveHttp1HeaderCase",
    forwardedClientCert=_FORWARD,
    setCurrentClientCertDetails=_fields(switches="subject cert chain dns uri"),
    requestId=_DISABLED,
    server=_fields(texts="value", switches="disabled"),
    attemptCount=_DISABLED,
    envoyDebugHeaders=_DISABLED,
    metadataExchangeHeaders=_fields(mode=_word("UNDEFINED", "IN_MESH")),
    xForwardedHost=_ENABLED,
    xForwardedPort=_ENABLED,
)

PROXY_CONFIG = _fields(
    texts="configPath binaryPath serviceCluster drainDuration discoveryAddress discoveryRefreshDelay zipkinAddress "
    "statsdUdpAddress envoyMetricsServiceAddress availabilityZone customConfigFile proxyBootstrapTemplatePath "
    "terminationDrainDuration meshId fileFlushInterval",
    numbers="proxyAdminPort statNameLength concurrency statusPort fileFlushMinSizeKb",
    switches="holdApplicationUntilProxyStarts statsCompression",
    lists="extraStatTags caCertificatesPem",
    tracingServiceName=_word("APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"),
    controlPlaneAuthPolicy=_word("NONE", "MUTUAL_TLS", "INHERIT"),
    interceptionMode=_word("REDIRECT", "TPROXY", "NONE"),
    tracing=_TRACING,
    sds=_fields(texts="k8sSaJwtPath", switches="enabled"),
    envoyAccessLogService=_REMOTE,
    envoyMetricsService=_REMOTE,
    proxyMetadata=_map(_TEXT),
    runtimeValues=_map(_TEXT),
    gatewayTopology=_fields(numbers="numTrustedProxies", forwardClientCertDetails=_FORWARD, proxyProtocol=_EMPTY),
    readinessProbe=_READINESS,
    proxyStatsMatcher=_fields(lists="inclusionPrefixes inclusionSuffixes inclusionRegexps"),
    image=_fields(texts="imageType"),
    privateKeyProvider=_fields(cryptomb=_KEY_OFFLOAD, qat=_KEY_OFFLOAD),
    proxyHeaders=_PROXY_HEADERS,
)
"""`meshConfig.defaultConfig`, and the annotation `proxy.istio.io/config` of pods."""

_HEADERS = _list(_fields(texts="name value envName"))
_HTTP = _fields(texts="path timeout", headers=_HEADERS)
_BODY = _fields(numbers="maxRequestBytes", switches="allowPartialMessage packAsBytes")
_LOG_FORMAT = _fields(texts="text", labels=_map(_ANYTHING))

_EXTENSION_PROVIDER = _fields(
    texts="name",
    envoyExtAuthzHttp=_fields(
        texts="service timeout statusOnError pathPrefix",
        numbers="port",
        switches="failOpen clearRouteCache",
        lists="includeHeadersInCheck includeRequestHeadersInCheck headersToUpstreamOnAllow headersToDownstreamOnDeny "
        "headersToDownstreamOnAllow",
        includeAdditionalHeadersInCheck=_map(_TEXT),
        includeRequestBodyInCheck=_BODY,
    ),
    envoyExtAuthzGrpc=_fields(
        texts="service timeout statusOnError",
        numbers="port",
        switches="failOpen clearRouteCache",
        includeRequestBodyInCheck=_BODY,
    ),
    zipkin=_fields(
        texts="service path timeout",
        numbers="port maxTagLength",
        switches="enable64bitTraceId",
        traceContextOption=_word("USE_B3", "USE_B3_WITH_W3C_PROPAGATION"),
        headers=_HEADERS,
    ),
    lightstep=_fields(texts="service accessToken", numbers="port maxTagLength"),
    datadog=_fields(texts="service", numbers="port maxTagLength"),
    stackdriver=_fields(
        switches="debug",
        numbers=f"{_STACKDRIVER} maxTagLength",
        logging=_fields(labels=_map(_TEXT)),
    ),
    opencensus=_fields(texts="service", numbers="port maxTagLength", context=_TRACE_CONTEXTS),
    skywalking=_fields(texts="service accessToken", numbers="port"),
    opentelemetry=_fields(
        texts="service",
        numbers="port maxTagLength",
        http=_HTTP,
        grpc=_fields(texts="timeout", initialMetadata=_HEADERS),
        resourceDetectors=_fields(environment=_EMPTY, dynatrace=_EMPTY),
        serviceAttributeEnrichment=_word("ISTIO_CANONICAL", "OTEL_SEMANTIC_CONVENTIONS"),
        dynatraceSampler=_fields(
            texts="tenant",
            numbers="clusterId rootSpansPerMinute",
            httpService=_fields(texts="service", numbers="port", http=_HTTP),
        ),
    ),
    prometheus=_EMPTY,
    envoyFileAccessLog=_fields(texts="path", switches="omitEmptyValues", logFormat=_LOG_FORMAT),
    envoyHttpAls=_fields(
        texts="service logName",
        numbers="port",
        lists="filterStateObjectsToLog additionalRequestHeadersToLog additionalResponseHeadersToLog "
        "additionalResponseTrailersToLog",
    ),
    envoyTcpAls=_fields(texts="service logName", numbers="port", lists="filterStateObjectsToLog"),
    envoyOtelAls=_fields(texts="service logName", numbers="port", logFormat=_LOG_FORMAT),
    sds=_fields(texts="name service", numbers="port"),
)
_LOCALITY = _fields(
    switches="enabled",
    lists="failoverPriority",
    distribute=_list(_fields(texts="from", to=_map(_NUMBER))),
    failover=_list(_fields(texts="from to")),
)
_TLS_DEFAULTS = _fields(lists="ecdhCurves cipherSuites", minProtocolVersion=_word("TLS_AUTO", "TLSV1_2", "TLSV1_3"))

MESH_CONFIG = _fields(
    texts="connectTimeout hboneIdleTimeout protocolDetectionTimeout ingressClass ingressService ingressSelector "
    "accessLogFile accessLogFormat trustDomain rootNamespace dnsRefreshRate inboundClusterStatName "
    "outboundClusterStatName",
    numbers="proxyListenPort proxyInboundListenPort proxyHttpPort",
    switches="enableTracing enableEnvoyAccessLogService disableEnvoyListenerLog enableAutoMtls enablePrometheusMerge "
    "verifyCertificateAtClient",
    lists="trustDomainAliases defaultServiceExportTo defaultVirtualServiceExportTo defaultDestinationRuleExportTo",
    tcpKeepalive=_KEEPALIVE,
    ingressControllerMode=_word("UNSPECIFIED", "OFF", "DEFAULT", "STRICT"),
    accessLogEncoding=_word("TEXT", "JSON"),
    defaultConfig=PROXY_CONFIG,
    outboundTrafficPolicy=_fields(mode=_word("REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"), tls=_TLS),
    inboundTrafficPolicy=_fields(mode=_word("PASSTHROUGH", "LOCALHOST")),
    configSources=_list(
        _fields(texts="address", tlsSettings=_TLS, subscribedResources=_list(_word("SERVICE_REGISTRY")))
    ),
    caCertificates=_list(_fields(texts="pem spiffeBundleUrl", lists="certSigners trustDomains")),
    localityLbSetting=_LOCALITY,
    h2UpgradePolicy=_word("DO_NOT_UPGRADE", "UPGRADE"),
    certificates=_list(_fields(texts="secretName", lists="dnsNames")),
    serviceSettings=_list(_fields(lists="hosts", settings=_fields(switches="clusterLocal"))),
    serviceScopeConfigs=_list(
        _fields(namespaceSelector=_SELECTOR, servicesSelector=_SELECTOR, scope=_word("LOCAL", "GLOBAL"))
    ),
    ca=_fields(texts="address requestTimeout", switches="istiodSide", tlsSettings=_TLS),
    extensionProviders=_list(_EXTENSION_PROVIDER),
    defaultProviders=_fields(lists="tracing metrics accessLogging"),
    discoverySelectors=_list(_SELECTOR),
    pathNormalization=_fields(
        normalization=_word("DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")
    ),
    defaultHttpRetryPolicy=_fields(
        texts="perTryTimeout retryOn backoff",
        numbers="attempts",
        switches="retryRemoteLocalities retryIgnorePreviousHosts",
    ),
    meshMTLS=_TLS_DEFAULTS,
    tlsDefaults=_TLS_DEFAULTS,
)
"""`meshConfig`."""
