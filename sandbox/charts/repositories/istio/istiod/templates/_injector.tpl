{{- /* One webhook of an injector. Takes: top (the root), name, namespaces and objects (lists of match expressions). */}}
{{- define "injector.webhook" }}
- name: {{ .name }}.sidecar-injector.istio.io
  clientConfig:
    {{- include "istiod.service" .top | nindent 4 }}
      path: /inject
      port: 443
  sideEffects: None
  admissionReviewVersions: ["v1"]
  failurePolicy: Fail
  reinvocationPolicy: {{ .top.Values.sidecarInjectorWebhook.reinvocationPolicy | quote }}
  rules:
    - operations: [CREATE]
      apiGroups: [""]
      apiVersions: ["v1"]
      resources: ["pods"]
  namespaceSelector:
    matchExpressions:
      {{- toYaml .namespaces | nindent 6 }}
  objectSelector:
    matchExpressions:
      {{- toYaml .objects | nindent 6 }}
{{- end }}
{{- /* The webhooks for one revision or tag. Takes: top, revision, default (whether it also serves istio-injection). */}}
{{- define "injector.webhooks" }}
{{- $rev := "istio.io/rev" }}
{{- $legacy := "istio-injection" }}
{{- $inject := "sidecar.istio.io/inject" }}
{{- $noRev := dict "key" $rev "operator" "DoesNotExist" }}
{{- $ourRev := dict "key" $rev "operator" "In" "values" (list .revision) }}
{{- $noLegacy := dict "key" $legacy "operator" "DoesNotExist" }}
{{- $willing := dict "key" $inject "operator" "NotIn" "values" (list "false") }}
{{- include "injector.webhook" (dict "top" .top "name" "rev.namespace"
  "namespaces" (list $ourRev $noLegacy) "objects" (list $willing)) }}
{{- include "injector.webhook" (dict "top" .top "name" "rev.object"
  "namespaces" (list $noRev $noLegacy) "objects" (list $willing $ourRev)) }}
{{- if .default }}
{{- include "injector.webhook" (dict "top" .top "name" "namespace"
  "namespaces" (list (dict "key" $legacy "operator" "In" "values" (list "enabled"))) "objects" (list $willing)) }}
{{- include "injector.webhook" (dict "top" .top "name" "object"
  "namespaces" (list $noLegacy $noRev)
  "objects" (list (dict "key" $inject "operator" "In" "values" (list "true")) $noRev)) }}
{{- if .top.Values.sidecarInjectorWebhook.enableNamespacesByDefault }}
{{- $system := list "kube-system" "kube-public" "kube-node-lease" "local-path-storage" }}
{{- include "injector.webhook" (dict "top" .top "name" "auto"
  "namespaces" (list $noLegacy $noRev (dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" $system))
  "objects" (list (dict "key" $inject "operator" "DoesNotExist") $noRev)) }}
{{- end }}
{{- end }}
{{- end }}
