{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* The name of what stands in the namespace: the release, and the chart where the release is not named after it. */ -}}
{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "weir.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "weir.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The name of what stands in no namespace, so that two releases of one name do not meet. */ -}}
{{- define "weir.clusterName" -}}
{{- $name := include "weir.fullname" . -}}
{{- if eq $name .Release.Namespace -}}{{ $name }}{{- else -}}{{ printf "%s-%s" .Release.Namespace $name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "weir.selectorLabels" -}}
app.kubernetes.io/name: {{ include "weir.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "weir.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "weir.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "weir.priorityClass" -}}
{{- if .Values.priorityClass.create -}}
{{- default (include "weir.clusterName" .) .Values.priorityClass.name -}}
{{- else -}}
{{- .Values.priorityClass.name -}}
{{- end -}}
{{- end -}}

{{- define "weir.emergency" -}}
{{- default (printf "%s-emergency" (include "weir.fullname" .)) .Values.rules.emergency.configMap -}}
{{- end -}}

{{- define "weir.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* A word of the pipeline text, as it stands. */ -}}
{{- define "weir.word" -}}
{{- if regexMatch "^[A-Za-z0-9_./:@%+=,-]+$" . -}}{{ . }}{{- else -}}'{{ . | replace "'" "'\\''" }}'{{- end -}}
{{- end -}}

{{- /* Options given as text, one line. */ -}}
{{- define "weir.options" -}}
{{- $text := regexReplaceAll "\\s+" . " " | trim -}}
{{- if $text }} {{ $text }}{{- end -}}
{{- end -}}

{{- define "weir.tail" -}}
tail -f
{{- with .Values.journal }}{{ if .enabled }} --journal-dir {{ include "weir.word" .directory }}
{{- range .units }} --unit {{ include "weir.word" . }}{{ end }}
{{- with .priority }} --priority {{ include "weir.word" . }}{{ end }}
{{- end }}{{ end }}
{{- with .Values.docker }}{{ if and .enabled (ne .directory "/var/lib/docker/containers") }} --log-root {{ include "weir.word" .directory }}{{ end }}{{ end }}
{{- include "weir.options" .Values.pipeline.tail }} /var/log/pods
{{- end -}}

{{- define "weir.enrich" -}}
enrich --kubernetes {{ .Values.pods.from }}
{{- if eq .Values.pods.from "kubelet" }}
{{- if .Values.pods.kubeletInsecure }} --kubelet-insecure{{ else }} --kubelet-ca /var/run/secrets/kubernetes.io/serviceaccount/ca.crt{{ end }}
{{- end }}
{{- with .Values.loki.tenantFrom }} --tenant-from {{ include "weir.word" . }}{{ end }}
{{- include "weir.options" .Values.pipeline.enrich }}
{{- end -}}

{{- define "weir.filter" -}}
filter
{{- if .Values.rules.emergency.enabled }} --rules configmap:{{ .Release.Namespace }}/{{ include "weir.emergency" . }}{{ end }} --rules /etc/weir/rules
{{- end -}}

{{- define "weir.buffer" -}}
buffer /var/lib/weir/spool.db
{{- if eq .Values.spool.mode "spill" }} --spill{{ end }}
{{- with .Values.spool.maxSize }} --max-size {{ . }}{{ end }}
{{- if ne .Values.spool.onFull "block" }} --on-full {{ .Values.spool.onFull }}{{ end }}
{{- include "weir.options" .Values.pipeline.buffer }}
{{- end -}}

{{- define "weir.push" -}}
push
{{- if eq .Values.loki.auth.kind "basic" }} --password-file /run/weir/auth/password{{ end }}
{{- if eq .Values.loki.auth.kind "bearer" }} --bearer-token-file /run/weir/auth/token{{ end }}
{{- include "weir.options" .Values.pipeline.push }}
{{- end -}}

{{- /* The text of node.weir. */ -}}
{{- define "weir.pipeline" -}}
{{- if .Values.pipeline.text -}}
{{ .Values.pipeline.text | trim }}
{{- else -}}
# The pods of this node, with their labels, through rules and a spool into the Loki at LOKI_ADDR.
{{ include "weir.tail" . }} |
  {{ include "weir.enrich" . }} |
  {{ include "weir.filter" . }} |
  {{ include "weir.buffer" . }} |
  {{ include "weir.push" . }}
{{- with .Values.pipeline.more | trim }}
{{ . }}
{{- end }}
{{- end }}
{{- end -}}
