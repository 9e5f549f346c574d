{{- define "grafana.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "grafana.fullname" -}}
{{- $name := include "grafana.name" . -}}
{{- $derived := ternary .Release.Name (print .Release.Name "-" $name) (contains $name .Release.Name) -}}
{{ .Values.fullnameOverride | default $derived | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "grafana.account" -}}
{{ .Values.serviceAccount.name | default (ternary (include "grafana.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}
{{- define "grafana.selector" -}}
app.kubernetes.io/name: {{ include "grafana.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "grafana.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "grafana.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
{{- with .Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- define "grafana.metadata" -}}
name: {{ include "grafana.fullname" . }}
namespace: {{ .Values.namespaceOverride | default .Release.Namespace }}
labels:
  {{- include "grafana.labels" . | nindent 2 }}
{{- end }}
{{- define "grafana.config" -}}
{{- with .Values.plugins }}
plugins: {{ join "," . }}
{{- end }}
grafana.ini: |
  {{- range $section, $settings := index .Values "grafana.ini" }}
  {{- if kindIs "map" $settings }}
  [{{ $section }}]
  {{- range $key, $value := $settings }}
  {{ $key }} = {{ $value }}
  {{- end }}
  {{- else }}
  {{ $section }} = {{ $settings }}
  {{- end }}
  {{- end }}
{{- range $file, $content := merge (dict) .Values.datasources .Values.dashboardProviders }}
{{ $file }}: |
  {{- toYaml $content | nindent 2 }}
{{- end }}
{{- end }}
