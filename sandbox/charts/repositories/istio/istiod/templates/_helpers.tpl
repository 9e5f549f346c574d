{{- define "istiod.suffix" -}}
{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end }}
{{- define "istiod.revision" -}}
{{ .Values.revision | default "default" | quote }}
{{- end }}
{{- define "istiod.labels" -}}
istio.io/rev: {{ include "istiod.revision" . }}
install.operator.istio.io/owning-resource: {{ .Values.ownerName | default "unknown" }}
operator.istio.io/component: "Pilot"
release: {{ .Release.Name }}
app.kubernetes.io/name: "istiod"
{{ include "istio.labels" . }}
{{- end }}
{{- define "istiod.selector" -}}
{{- if .Values.revision -}}
app: istiod
istio.io/rev: {{ .Values.revision | quote }}
{{- else -}}
istio: pilot
{{- end }}
{{- end }}
{{- define "istiod.service" -}}
service:
  name: istiod{{ include "istiod.suffix" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
