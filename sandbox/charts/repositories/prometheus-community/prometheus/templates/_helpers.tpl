{{- define "prometheus.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "prometheus.server.fullname" -}}
{{- $name := include "prometheus.name" . -}}
{{- $derived := ternary .Release.Name (print .Release.Name "-" $name) (contains $name .Release.Name) -}}
{{ .Values.server.fullnameOverride | default (print $derived "-" .Values.server.name) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "prometheus.namespace" -}}
{{ .Values.forceNamespace | default .Release.Namespace }}
{{- end }}
{{- define "prometheus.account" -}}
{{ .Values.serviceAccounts.server.name | default (ternary (include "prometheus.server.fullname" .) "default" .Values.serviceAccounts.server.create) }}
{{- end }}
{{- define "prometheus.selector" -}}
app.kubernetes.io/component: {{ .Values.server.name }}
app.kubernetes.io/name: {{ include "prometheus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "prometheus.labels" -}}
{{ include "prometheus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/part-of: {{ include "prometheus.name" . }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonMetaLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- define "prometheus.metadata" -}}
name: {{ include "prometheus.server.fullname" . }}
namespace: {{ include "prometheus.namespace" . }}
labels:
  {{- include "prometheus.labels" . | nindent 2 }}
{{- end }}
