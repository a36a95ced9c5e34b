{{- define "gnomon.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "gnomon.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- else if contains (include "gnomon.name" .) .Release.Name }}
{{- .Release.Name | trunc 54 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "gnomon.name" .) | trunc 54 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gnomon.selector" -}}
app.kubernetes.io/name: {{ include "gnomon.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gnomon.labels" -}}
{{ include "gnomon.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "gnomon.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "gnomon.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "gnomon.image" -}}
{{- $image := .Values.server.image }}
{{- $registry := $image.registry | default .Values.global.image.registry }}
{{- if $registry }}{{ $registry }}/{{ end }}{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The path under which everything stands: from either server's argument, from server.config, or the path of the external URL. */}}
{{- define "gnomon.prefix" -}}
{{- $args := .Values.server.extraArgs }}
{{- $config := .Values.server.config }}
{{- $url := get $args "web.external-url" | default (get $config "web.external-url") | toString }}
{{- $path := get (urlParse $url) "path" }}
{{- get $args "http.pathPrefix" | default (get $args "web.route-prefix") | default (get $config "web.route-prefix") | default $path | trimSuffix "/" }}
{{- end }}

{{/* The container's port: of an address :PORT or HOST:PORT, from either server's argument. */}}
{{- define "gnomon.port" -}}
{{- $args := .Values.server.extraArgs }}
{{- get $args "httpListenAddr" | default (get $args "web.listen-address") | default ":8428" | toString | splitList ":" | last }}
{{- end }}

{{/* A list repeats the argument, as the server takes it. */}}
{{- define "gnomon.args" -}}
- --storage.path={{ .Values.server.persistentVolume.mountPath }}
- --retentionPeriod={{ .Values.server.retentionPeriod }}
{{- if .Values.server.config }}
- --config.file=/etc/gnomon/gnomon.yml
{{- end }}
{{- range $name, $value := .Values.server.extraArgs }}
{{- range (kindIs "slice" $value | ternary $value (list $value)) }}
- {{ printf "--%s=%v" $name . | quote }}
{{- end }}
{{- end }}
{{- end }}
