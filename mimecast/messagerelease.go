package mimecast

// MessageRelease returns the log of held mails that were released or rejected. Some
// of its events have no time.
//
// https://developer.services.mimecast.com/docs/auditevents/1/routes/api/gateway/get-held-release-logs/post
func MessageRelease() Log {
	return Log{
		Name: "message_release", Family: "message_release",
		Endpoint: Endpoint{
			Path:       "/api/gateway/get-held-release-logs",
			Permission: "Monitoring | Held | Read",
			Product:    productAudit,
			Page:       docsOf("auditevents", "/api/gateway/get-held-release-logs"),
		},
		List: "heldReleaseLogs", ID: "id", Time: "released",
		From: "start", To: "end", TimeLayout: timeLayout,
	}
}
