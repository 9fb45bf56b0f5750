package mimecast

// ArchiveView returns the message view log: mails that were opened in the archive.
// Its events have no id.
//
// https://developer.services.mimecast.com/docs/auditevents/1/routes/api/archive/get-view-logs/post
func ArchiveView() Log {
	return Log{
		Name: "archive_view", Family: "archive_view",
		Endpoint: Endpoint{
			Path:       "/api/archive/get-view-logs",
			Permission: "Archive | View Logs | Read",
			Product:    productAudit,
			Page:       docsOf("auditevents", "/api/archive/get-view-logs"),
		},
		Time: "viewed",
		From: "start", To: "end", TimeLayout: timeLayout,
	}
}
