package mimecast

// DLP returns the data leak prevention log: mails that a content policy acted on.
// Its events have no id.
//
// https://developer.services.mimecast.com/docs/securityevents/1/routes/api/dlp/get-logs/post
func DLP() Log {
	return Log{
		Name: "dlp", Family: "dlp",
		Endpoint: Endpoint{
			Path:       "/api/dlp/get-logs",
			Permission: "Monitoring | Data Leak Prevention | Read",
			Product:    productSecurity,
			Page:       docsOf("securityevents", "/api/dlp/get-logs"),
		},
		List: "dlpLogs", Time: "eventTime",
		From: "from", To: "to", TimeLayout: timeLayout, OldestFirst: true,
	}
}
