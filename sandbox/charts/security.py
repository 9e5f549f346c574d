"""Istio's security kinds: specs in the notation of `schema`."""

from __future__ import annotations

TYPES = {
    "Selector": "matchLabels: {str}",
    "TargetRef": "group: str, kind!: text, name!: text, namespace: str",
    "MutualTLS": "mode: UNSET|DISABLE|PERMISSIVE|STRICT",
    "PeerAuthentication": "mtls: MutualTLS, portLevelMtls: {MutualTLS}, selector: Selector",
    "JWTRule": """
        audiences: [text], forwardOriginalToken: bool, fromCookies: [text]
        fromHeaders: [(name!: text, prefix: str)], fromParams: [text], issuer: text, jwks: str
        jwks_uri: text, jwksUri: text, outputClaimToHeaders: [(claim!: text, header!: text)]
        outputPayloadToHeader: str, spaceDelimitedClaims: [text], timeout: str""",
    "RequestAuthentication": """
        jwtRules: [JWTRule], selector: Selector, targetRef: TargetRef, targetRefs: [TargetRef]""",
    "Source": """
        ipBlocks: [str], namespaces: [str], notIpBlocks: [str], notNamespaces: [str], notPrincipals: [str]
        notRemoteIpBlocks: [str], notRequestPrincipals: [str], notServiceAccounts: [str], notTrustDomains: [str]
        principals: [str], remoteIpBlocks: [str], requestPrincipals: [str], serviceAccounts: [str]
        trustDomains: [str]""",
    "Operation": """
        hosts: [str], methods: [str], notHosts: [str], notMethods: [str], notPaths: [str], notPorts: [str]
        paths: [str], ports: [str]""",
    "AuthorizationPolicy": """
        action: ALLOW|DENY|AUDIT|CUSTOM
        provider: (name: str)
        rules: [(from: [(source: Source)], to: [(operation: Operation)],
            when: [(key!: str, notValues: [str], values: [str])])]
        selector: Selector
        targetRef: TargetRef
        targetRefs: [TargetRef]""",
}
