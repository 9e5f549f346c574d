{{- define "kiali.name" -}}
{{ .Values.deployment.instance_name | trunc 63 }}
{{- end }}
{{- define "kiali.web_root" -}}
{{ .Values.server.web_root | default "/kiali" }}
{{- end }}
{{- define "kiali.selector" -}}
app.kubernetes.io/name: kiali
app.kubernetes.io/instance: {{ include "kiali.name" . }}
{{- end }}
{{- define "kiali.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app: kiali
{{ include "kiali.selector" . }}
version: {{ .Values.deployment.version_label | quote }}
app.kubernetes.io/version: {{ .Values.deployment.version_label | quote }}
app.kubernetes.io/part-of: "kiali"
{{- with .Values.deployment.extra_labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- define "kiali.metadata" -}}
name: {{ include "kiali.name" . }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "kiali.labels" . | nindent 2 }}
{{- end }}
{{- define "kiali.config" -}}
{{- $config := deepCopy .Values }}
{{- $_ := set $config.deployment "namespace" .Release.Namespace }}
{{- $_ := set $config.auth "strategy" (.Values.auth.strategy | default "token") }}
{{- $_ := set $config.login_token "signing_key" (.Values.login_token.signing_key | default (randAlphaNum 32)) }}
{{- $_ := set $config.external_services.istio "root_namespace" (.Values.external_services.istio.root_namespace | default .Release.Namespace) }}
{{- $_ := set $config.server "web_root" (include "kiali.web_root" .) }}
{{- toYaml $config }}
{{- end }}
