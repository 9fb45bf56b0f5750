package mimecast

// Rejections returns the log of mails that were rejected. Without admin the service
// gives the caller's own alone.
//
// https://developer.services.mimecast.com/docs/auditevents/1/routes/api/gateway/get-rejections/post
func Rejections() Log {
	return Log{
		Name: "rejections", Family: "rejections",
		Endpoint: Endpoint{
			Path:       "/api/gateway/get-rejections",
			Permission: "Monitoring | Rejections | Read",
			Product:    productAudit,
			Page:       docsOf("auditevents", "/api/gateway/get-rejections"),
		},
		List: "rejections", ID: "id", Time: "created",
		From: "start", To: "end", TimeLayout: timeLayout, Always: map[string]any{"admin": true},
	}
}
